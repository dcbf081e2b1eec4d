/// The memory of all destinations, found by number; numbers and addresses in memory never change.
///
/// The local ports that connections to them have with FULLNAT are kept beside it.
///
/// A cell is touched for the first time when its number is given out, so a director with few
/// servers uses few pages.
@safe
package struct DestinationCells: @unchecked Sendable {
    /// Most real servers of one director, those in the trash included.
    package static let capacity = 65_535

    private static let faceBytes = 64
    private static let lineBytes = 64
    /// Loads of a group of numbers share its lines in such a way that neighbours do not share one:
    /// a few busy servers have lines of their own, and a thousand lie closely.
    private static let groupLines = 256

    private let faces: UnsafeMutableRawPointer
    private let loads: UnsafeMutableRawPointer
    /// Pools of local ports, by the addresses of local side and real server.
    let ports = LocalPorts()

    /// Takes the memory from the heap; `deallocate` gives it back.
    package init() {
        let loadBytes = DestinationCells.place(.max) + DestinationCells.lineBytes
        unsafe faces = .allocate(
            byteCount: DestinationCells.capacity * DestinationCells.faceBytes, alignment: 64)
        unsafe loads = .allocate(byteCount: loadBytes, alignment: 64)
    }

    package func deallocate() {
        unsafe faces.deallocate()
        unsafe loads.deallocate()
        ports.deallocate()
    }

    /// The destination of a number that was given out.
    package subscript(number: DestinationIndex) -> Destination {
        @inline(__always) get {
            assert(number != Destination.none)
            let face = unsafe faces + Int(number) &* DestinationCells.faceBytes
            return unsafe Destination(
                face: face.assumingMemoryBound(to: Destination.Face.self),
                load: load(at: DestinationCells.place(number)))
        }
    }

    /// Where the load of a number stands; see `load(at:)`.
    @inline(__always)
    static func place(_ number: DestinationIndex) -> Int {
        let (line, row) = (Int(number) & (groupLines &- 1), Int(number) / groupLines)
        let (group, quarter) = (row / 4, row & 3)
        return (group &* groupLines &+ line) &* lineBytes
            &+ quarter &* MemoryLayout<ServerLoad.Words>.stride
    }

    /// The load that stands at a place.
    @inline(__always)
    func load(at place: Int) -> UnsafeMutablePointer<ServerLoad.Words> {
        unsafe (loads + place).assumingMemoryBound(to: ServerLoad.Words.self)
    }
}

extension DestinationCells {
    /// Moves the counts of a connection's destination along with its state; for who won the exchange.
    func moveCounts(from old: ConnectionControl, to new: ConnectionControl) {
        guard old.isInactive != new.isInactive, new.destination != Destination.none else { return }
        let destination = self[new.destination]
        if new.isInactive { destination.becameInactive() } else { destination.becameActive() }
    }

    /// Takes an ended connection off the counts of its destination, and lets its local port rest; only
    /// for the one who ended it, before its next quiescent state.
    package func release(_ connection: Connection) {
        let control = connection.control
        if control.isFullNAT { ports.giveBack(connection) }
        guard control.destination != Destination.none else { return }
        let destination = self[control.destination]
        if connection.isTemplate {
            destination.unbindTemplate()
        } else {
            destination.unbind(active: !control.isInactive)
        }
    }
}

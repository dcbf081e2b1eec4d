/// The memory of all destinations, found by number; numbers and addresses in memory never change.
///
/// A cell is touched for the first time when its number is given out, so a director with few
/// servers uses few pages.
@safe
package struct DestinationCells: @unchecked Sendable {
    /// Most real servers of one director, those in the trash included.
    package static let capacity = 65_535

    private let memory: UnsafeMutableRawPointer

    /// Takes the memory from the heap; `deallocate` gives it back.
    package init() {
        unsafe memory = .allocate(
            byteCount: DestinationCells.capacity * Destination.bytes, alignment: 64)
    }

    package func deallocate() { unsafe memory.deallocate() }

    /// The destination of a number that was given out.
    package subscript(number: DestinationIndex) -> Destination {
        assert(number != Destination.none)
        return unsafe Destination(memory: memory + Int(number) * Destination.bytes)
    }
}

extension DestinationCells {
    /// Takes an ended connection off the counts of its destination; only for the one who ended it,
    /// before its next quiescent state.
    package func release(_ connection: Connection) {
        let control = connection.control
        guard control.destination != Destination.none else { return }
        let destination = self[control.destination]
        if connection.isTemplate {
            destination.unbindTemplate()
        } else {
            destination.unbind(active: !control.isInactive)
        }
    }
}

import Synchronization

// Extension lines: what a connection remembers besides its entry, in lines of the same slab that are
// chained to it. An IPv6 connection keeps its addresses there, a helper what it knows of a flow.
//
// ```
//  0  control word, never live: sweeps and listings pass a line by
//  4  first line: firewall mark of the first packet
//  8  payload, 48 bytes; of the first line: client | virtual | real, 16 bytes each; of the second one
//     of an IPv6 connection with FULLNAT: local address, 16 bytes
// 56  number of the next line, or noNumber
// 60  first line: link of the lists that removed entries wait in
// ```
// Word 60 of an entry with an extension holds the number of the first line. It stays readable until
// nobody can hold a view of the entry any more, which is why removed entries are linked elsewhere.

extension Connection {
    /// In byte 49: word 60 is the number of the first extension line.
    static let extensionBit: UInt8 = 0x20
    /// In byte 49: the keys hold a digest, the addresses stand in the first line.
    static let wideBit: UInt8 = 0x40
    /// Bytes of payload in a line.
    package static let lineBytes = 48

    package var hasExtension: Bool {
        @inline(__always) get { unsafe entry.byte(49) & Connection.extensionBit != 0 }
    }
    /// True when the first extension line holds the addresses; with FULLNAT the keys of an IPv4
    /// connection say them all, whatever lines it has.
    var hasAddressLine: Bool { hasExtension && (isWide || !isFullNAT) }
    /// True for connections of IPv6 clients.
    package var isWide: Bool {
        @inline(__always) get { unsafe entry.byte(49) & Connection.wideBit != 0 }
    }

    /// Another line of the same memory, by its number; numbers count from the entry's own and may
    /// wrap, so that entries outside the table can have lines as well.
    private func line(_ number: UInt32) -> Connection {
        let distance = Int(Int32(bitPattern: number &- self.number))
        return unsafe Connection(entry: entry + distance &* Connection.bytes, number: number)
    }

    /// The first line of an entry that has an extension.
    var firstLine: Connection { line(unsafe entry.le32(60)) }

    /// The line behind this one; nil behind the last.
    var nextLine: Connection? {
        let next = unsafe entry.le32(56)
        return next == Connection.noNumber ? nil : line(next)
    }

    /// The payload, `lineBytes` long, of the helper's line numbered `index` from 0; nil when the
    /// connection was made with fewer (`ConnectionSpec.extraLines`).
    ///
    /// It is zeroed when the connection is made, good as long as the connection's view is, and any
    /// worker may be at it.
    package func extraLine(_ index: Int) -> UnsafeMutableRawPointer? {
        guard hasExtension else { return nil }
        var line: Connection? = firstLine
        if hasAddressLine { line = line?.nextLine }
        if isFullNAT, isWide, !translatesFamily { line = line?.nextLine }
        for _ in 0..<index { line = line?.nextLine }
        guard let line else { return nil }
        return unsafe line.entry + 8
    }

    /// An address in the payload of the first line, by its offset there.
    func wideAddress(_ offset: Int) -> IPAddress {
        let line = firstLine
        return unsafe IPAddress(
            high: line.entry.be64(8 &+ offset), low: line.entry.be64(16 &+ offset))
    }

    /// The local address that the second line of a wide connection with FULLNAT begins with.
    var wideLocal: IPAddress {
        unsafe IPAddress(high: entry.be64(8), low: entry.be64(16))
    }

    /// Firewall mark of the first packet.
    package var mark: UInt32 {
        unsafe hasExtension ? firstLine.entry.le32(4) : entry.le32(60)
    }

    /// Writes the lines whose numbers are chained from `first` on; nobody else can reach them yet.
    func writeExtension(_ spec: ConnectionSpec, first: UInt32) {
        unsafe entry.set(60, le32: first)
        let line = firstLine
        unsafe line.word(4).pointee.store(spec.mark, ordering: .relaxed)
        guard spec.hasAddressLine else { return }
        for (offset, address) in [(8, spec.client), (24, spec.virtual), (40, spec.real)] {
            unsafe line.entry.set(offset, be64: address.high)
            unsafe line.entry.set(offset + 8, be64: address.low)
        }
        guard spec.hasWideLocal, let local = spec.local, let second = line.nextLine else { return }
        unsafe second.entry.set(8, be64: local.address.high)
        unsafe second.entry.set(16, be64: local.address.low)
    }

    /// Makes a line of memory that belongs to nobody, in front of the line numbered `next`.
    func becomeLine(before next: UInt32) {
        unsafe word(0).pointee.store(0, ordering: .relaxed)
        unsafe (entry + 4).initializeMemory(as: UInt8.self, repeating: 0, count: 52)
        unsafe entry.set(56, le32: next)
    }

    /// Link of the lists that removed entries wait in.
    var waitingLink: UInt32 {
        get { hasExtension ? firstLine.link : link }
        nonmutating set { (hasExtension ? firstLine : self).link = newValue }
    }
}

extension ConnectionTable {
    /// Chains as many lines as the connection needs; nil when the table is full, which changes
    /// nothing.
    ///
    /// `noNumber` for a connection without an extension.
    func takeLines(_ spec: ConnectionSpec, _ worker: Int) -> UInt32? {
        var first = Connection.noNumber
        for _ in 0..<spec.lines {
            guard let line = takeEntry(worker) else {
                giveBackLines(from: first, worker)
                return nil
            }
            line.becomeLine(before: first)
            first = line.number
        }
        return first
    }

    /// Gives lines back that nobody can reach.
    func giveBackLines(from first: UInt32, _ worker: Int) {
        var number = first
        while number != Connection.noNumber {
            let line = connection(number)
            number = unsafe line.entry.le32(56)
            giveBack(line, worker)
        }
    }
}

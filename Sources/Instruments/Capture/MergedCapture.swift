/// The packets of several captures in the order of their times, as if of one file.
///
/// Of packets of one time those of the file that was named first come first; within a file the order
/// stays as it is. One packet of each file is looked at: memory does not depend on their length.
package final class MergedCapture {
    /// A file, and what its packets' interface is to be called.
    package struct Source {
        /// Nil leaves each interface the name that the file gives it.
        package var name: String?
        package var reader: CaptureReader

        package init(name: String? = nil, reader: CaptureReader) {
            self.name = name
            self.reader = reader
        }
    }

    private struct Head {
        var source: Source
        /// The packet that has not been given out.
        var packet: CapturedPacket?
        /// Positions among `interfaces` of those of the file.
        var interfaces: [Int] = []
    }

    /// Interfaces of all files; what has one name and one link type is one.
    ///
    /// All that stand before a file's first packet are here from the beginning.
    package private(set) var interfaces: [CaptureInterface] = []
    private var links: [LinkLayer.Link] = []
    package let sources: [Source]
    /// Of the last packet: which of the sources it came from, and its number there.
    package private(set) var source = 0
    package var numberInFile: UInt64 { only?.number ?? given.inFile }
    private var heads: [Head] = []
    /// How many packets of several files were given out, and the last one's number in its file.
    private var given: (count: UInt64, inFile: UInt64) = (0, 0)
    private var isBegun = false
    /// Positions of interfaces that have names.
    private var positions: [CaptureInterface: Int] = [:]
    /// The reader where there is but one, how many interfaces of it are known, and whether all have
    /// here the positions that they have there.
    private let only: CaptureReader?
    private var known = 0
    private var isPlain = true

    package init(_ sources: [Source]) {
        self.sources = sources
        heads = sources.map { Head(source: $0, packet: nil) }
        only = sources.count == 1 ? sources[0].reader : nil
        for index in heads.indices { updateInterfaces(of: index) }
        if only != nil { learn() }
    }

    package convenience init(_ reader: CaptureReader) { self.init([Source(reader: reader)]) }

    /// The next packet, its interface a position among `interfaces`; nil at the end.
    ///
    /// Of a single file it has the number that Wireshark gives it, otherwise packets are numbered as
    /// they come out. Its bytes stay until the next is asked for.
    package func next() -> CapturedPacket? {
        var next: CapturedPacket?
        _ = give { packet in
            next = packet
            return false
        }
        return next
    }

    /// Gives packets to `body`, as `next` does, until it wants no more; false at the end.
    @inline(__always)
    func give(_ body: (CapturedPacket) -> Bool) -> Bool {
        // The reader is held once for all of them.
        if let only {
            while var packet = only.next() {
                if packet.interface >= known { learn() }
                if !isPlain { packet.interface = heads[0].interfaces[packet.interface] }
                if !body(packet) { return true }
            }
            return false
        }
        while let packet = nextOfSeveral() {
            if !body(packet) { return true }
        }
        return false
    }

    /// Learns of interfaces that a single file has described since.
    private func learn() {
        updateInterfaces(of: 0)
        known = heads[0].interfaces.count
        isPlain = heads[0].interfaces.elementsEqual(0..<known)
    }

    private func nextOfSeveral() -> CapturedPacket? {
        if isBegun {
            guard source < heads.count else { return nil }
            heads[source].packet = heads[source].source.reader.next()
        } else {
            isBegun = true
            for index in heads.indices { heads[index].packet = heads[index].source.reader.next() }
        }
        var earliest: CapturedPacket?
        for index in heads.indices {
            guard let packet = heads[index].packet else { continue }
            if let best = earliest, best.time <= packet.time { continue }
            earliest = packet
            source = index
        }
        guard var packet = earliest else { return nil }
        given = (given.count + 1, packet.number)
        packet.number = given.count
        if packet.interface >= heads[source].interfaces.count { updateInterfaces(of: source) }
        packet.interface = heads[source].interfaces[packet.interface]
        return packet
    }

    /// What `LinkLayer` must know of a packet's interface.
    package func link(of packet: CapturedPacket) -> LinkLayer.Link { links[packet.interface] }

    /// What the file says of the last packet.
    package var comment: String? {
        source < heads.count ? heads[source].source.reader.comment : nil
    }

    /// Bytes of all files that have been looked at.
    package var bytesRead: UInt64 { sources.reduce(0) { $0 + $1.reader.bytesRead } }

    /// Bytes of all files; nil when one is a pipe.
    package var totalBytes: UInt64? {
        sources.reduce(UInt64?(0)) { sum, source in
            guard let sum, let bytes = source.reader.totalBytes else { return nil }
            return sum + bytes
        }
    }

    /// All remarks, each after the name of its file where there are several.
    package var remarkLines: [String] {
        sources.flatMap { source in
            source.reader.remarks.lines.map {
                sources.count > 1 ? "\(source.reader.name): \($0)" : $0
            }
        }
    }

    /// Gives the interfaces of a file their positions, those that have become known since.
    private func updateInterfaces(of index: Int) {
        let found = heads[index].source.reader.interfaces
        for interface in found[heads[index].interfaces.count...] {
            var named = interface
            if let name = heads[index].source.name { named.name = name }
            // How much of a packet was kept does not make it another interface.
            var key = named
            key.snapshotLength = 0
            if let known = positions[key] {
                heads[index].interfaces.append(known)
            } else {
                if !named.name.isEmpty { positions[key] = interfaces.count }
                interfaces.append(named)
                links.append(LinkLayer.Link(named))
                heads[index].interfaces.append(interfaces.count - 1)
            }
        }
    }
}

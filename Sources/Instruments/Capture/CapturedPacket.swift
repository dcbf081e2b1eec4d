/// One packet of a capture file, as it stands there.
///
/// Marked safe because whoever reads through `bytes` must say `unsafe` there; they are the reader's and
/// stay until the next packet is asked for.
@safe
package struct CapturedPacket {
    /// Which way a packet went at the interface that captured it.
    package enum Direction: UInt8, Sendable {
        /// The file does not say.
        case unknown = 0
        /// It came in.
        case inbound = 1
        /// The machine that captured it sent it.
        case outbound = 2
    }

    /// Place in the file, from 1, as Wireshark numbers packets.
    package var number: UInt64
    /// Nanoseconds since 1970, UTC.
    package var time: Int64
    /// Position among the file's interfaces, from 0.
    package var interface: Int
    /// Bytes captured, from the link header on; `length` or less.
    package var bytes: UnsafeRawBufferPointer
    /// Bytes that the packet had when it was captured.
    package var length: UInt32
    package var direction: Direction = .unknown

    /// True when the file holds less of the packet than there was.
    package var isTruncated: Bool { unsafe bytes.count < Int(length) }

    package init(
        number: UInt64, time: Int64, interface: Int, bytes: UnsafeRawBufferPointer, length: UInt32,
        direction: Direction = .unknown
    ) {
        self.number = number
        self.time = time
        self.interface = interface
        unsafe self.bytes = unsafe bytes
        self.length = length
        self.direction = direction
    }
}

/// An interface that packets of a capture file were captured on.
package struct CaptureInterface: Hashable, Sendable {
    /// What the file calls it; empty when it does not say, as in pcap files.
    package var name: String
    /// LINKTYPE number of the tcpdump group's registry: 1 Ethernet, 101 raw IP, 113 Linux cooked.
    package var linkType: UInt32
    /// Most bytes of a packet that were kept; 0 for no limit.
    package var snapshotLength: UInt32
    /// Bytes of frame check sequence at the end of each packet.
    package var checkBytes: UInt8 = 0

    package init(name: String, linkType: UInt32, snapshotLength: UInt32) {
        self.name = name
        self.linkType = linkType
        self.snapshotLength = snapshotLength
    }
}

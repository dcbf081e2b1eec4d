/// What was wrong with a capture file at one place, and what was done about it.
package struct CaptureRemark: Hashable, Sendable, CustomStringConvertible {
    /// What can be wrong with a capture file.
    package enum Kind: UInt8, CaseIterable, Sendable {
        /// The file ends in the middle of a packet or block; that is left out.
        case cut
        /// A length that cannot be; what it belongs to is left out.
        case absurdLength
        /// Bytes were passed over up to the next packet that makes sense.
        case passedOver
        /// A packet of more than `CaptureReader.mostBytes` bytes was left out.
        case tooLong
        /// A packet without bytes was left out.
        case empty
        /// A packet of an interface that the file has not described was left out.
        case noInterface
        /// The file holds less of the packet than there was.
        case snapped
        /// The file holds more of the packet than there was by its own word.
        case overfull
        /// The packet is older than the one before it.
        case backwards
        /// A time that is none, or lies beyond what 64 bits of nanoseconds hold (the year 2262).
        case absurdTime
        /// The file tells no time for the packet: it got the time of the one before it.
        case noTime
        /// A block of a kind that is in no list was passed over.
        case unknownBlock
        /// More interfaces than `CaptureReader.mostInterfaces`; packets of the others are left out.
        case tooManyInterfaces
        /// The file could not be read to its end.
        case unreadable

        /// Whether something that was in the file is missing in what was read.
        package var isLoss: Bool {
            switch self {
            case .snapped, .overfull, .backwards, .absurdTime, .noTime, .unknownBlock: false
            case .cut, .absurdLength, .passedOver, .tooLong, .empty, .noInterface,
                .tooManyInterfaces, .unreadable:
                true
            }
        }
    }

    package var kind: Kind
    /// The packet concerned, or the last one before; 0 before the first.
    package var packet: UInt64
    /// Where in the file, bytes from its beginning.
    package var offset: UInt64
    /// What was found.
    package var text: String

    package var description: String { "packet \(packet) (byte \(offset)): \(text)" }
}

/// Everything that was wrong with a capture file: counted in full, told in part.
package struct CaptureRemarks: Sendable {
    /// Most remarks of one kind that are kept.
    package static let mostOfAKind: UInt64 = 8

    /// The first ones of each kind, in the order of the file.
    package private(set) var kept: [CaptureRemark] = []
    private var counts = [UInt64](repeating: 0, count: CaptureRemark.Kind.allCases.count)

    package init() {}

    /// How often something of this kind was found.
    package func count(_ kind: CaptureRemark.Kind) -> UInt64 { counts[Int(kind.rawValue)] }

    /// How many remarks there were of all kinds.
    package var total: UInt64 { counts.reduce(0, +) }

    package var isEmpty: Bool { kept.isEmpty }

    /// Whether something that was in the file is missing in what was read.
    package var hasLosses: Bool {
        CaptureRemark.Kind.allCases.contains { $0.isLoss && count($0) > 0 }
    }

    /// Counts a remark; its text is made only if it is kept.
    mutating func add(
        _ kind: CaptureRemark.Kind, packet: UInt64, offset: UInt64, _ text: () -> String
    ) {
        let index = Int(kind.rawValue)
        counts[index] += 1
        guard counts[index] <= Self.mostOfAKind else { return }
        kept.append(CaptureRemark(kind: kind, packet: packet, offset: offset, text: text()))
    }

    /// What is kept, each kind that has more to say with a count behind its last.
    package var lines: [String] {
        var told: [CaptureRemark.Kind: UInt64] = [:]
        return kept.map { remark in
            told[remark.kind, default: 0] += 1
            let more = count(remark.kind) - min(count(remark.kind), Self.mostOfAKind)
            let isLast = told[remark.kind] == Self.mostOfAKind
            return isLast && more > 0
                ? "\(remark) (and \(more) more like this)" : "\(remark)"
        }
    }
}

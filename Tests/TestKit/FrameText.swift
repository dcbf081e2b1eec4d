import LVS

/// Frames as people read them: what a failed comparison shows.
package enum FrameText {
    /// Headers of a frame in one line.
    package static func describe(_ frame: [UInt8]) -> String {
        guard frame.count >= 14 else { return "\(frame.count) bytes" }
        let link = "\(hardware(frame, 6))>\(hardware(frame, 0))"
        guard !frame.isIPv6 else { return link + " " + ipv6(frame) }
        guard frame.be16(12) == 0x0800, frame.count >= 34 else {
            return link + " type \(hex(frame.be16(12))) \(frame.count) bytes"
        }
        return link + " " + packet(frame, 14)
    }

    /// Every difference between two frames: field, expected and actual value.
    package static func difference(expected: [UInt8], actual: [UInt8]) -> String {
        var parts: [String] = []
        if expected.count != actual.count {
            parts.append("length \(expected.count), got \(actual.count)")
        }
        for (name, range) in fields(of: expected) {
            guard range.upperBound <= expected.count, range.upperBound <= actual.count else {
                continue
            }
            guard expected[range] != actual[range] else { continue }
            parts.append("\(name) \(text(expected[range])), got \(text(actual[range]))")
        }
        if parts.isEmpty {
            let offsets = zip(expected, actual).enumerated().filter { $1.0 != $1.1 }.prefix(8)
            for (offset, pair) in offsets {
                parts.append("byte \(offset) \(hex(pair.0)), got \(hex(pair.1))")
            }
        }
        return parts.joined(separator: "; ")
    }

    private static func ipv6(_ frame: [UInt8]) -> String {
        func address(_ at: Int) -> IPAddress {
            func word(_ at: Int) -> UInt64 {
                UInt64(frame.be32(at)) << 32 | UInt64(frame.be32(at + 4))
            }
            return IPAddress(wireHigh: word(at), low: word(at + 8))
        }
        let (next, number) = frame.transport()
        var text =
            "\(address(22))>\(address(38)) hop limit \(frame[21]) payload \(frame.be16(18))"
            + " protocol \(number)"
        switch number {
        case 6, 17: text += " \(frame.be16(next))>\(frame.be16(next + 2))"
        case 58 where frame.count >= next + 2: text += " \(frame[next])/\(frame[next + 1])"
        default: break
        }
        return text
    }

    private static func packet(_ frame: [UInt8], _ at: Int) -> String {
        guard frame.count >= at + 20 else { return "cut IPv4 header" }
        let header = Int(frame[at] & 15) * 4
        let transport = frame[at + 9]
        let next = at + header
        var text =
            "\(address(frame, at + 12))>\(address(frame, at + 16)) ttl \(frame[at + 8])"
            + " id \(hex(frame.be16(at + 4))) length \(frame.be16(at + 2))"
        if frame.be16(at + 6) & 0x3fff != 0 { text += " fragment \(hex(frame.be16(at + 6)))" }
        switch transport {
        case 6 where frame.count >= next + 14:
            text += " TCP \(frame.be16(next))>\(frame.be16(next + 2)) \(flags(frame[next + 13]))"
        case 17 where frame.count >= next + 4:
            text += " UDP \(frame.be16(next))>\(frame.be16(next + 2))"
        case 1 where frame.count >= next + 8:
            text += " ICMP \(frame[next])/\(frame[next + 1]) about [\(packet(frame, next + 8))]"
        case 4: text += " IPIP [\(packet(frame, next))]"
        default: text += " protocol \(transport)"
        }
        return text
    }

    private static func fields(of frame: [UInt8]) -> [(String, Range<Int>)] {
        var fields: [(String, Range<Int>)] = [
            ("destination MAC", 0..<6), ("source MAC", 6..<12), ("type", 12..<14),
        ]
        guard frame.be16(12) == 0x0800, frame.count >= 34 else { return fields }
        var at = 14
        var prefix = ""
        while frame.count >= at + 20 {
            let next = at + Int(frame[at] & 15) * 4
            let inner = [
                ("TOS", 1..<2), ("total length", 2..<4), ("identification", 4..<6),
                ("fragment", 6..<8), ("TTL", 8..<9), ("protocol", 9..<10),
                ("header checksum", 10..<12), ("source", 12..<16), ("destination", 16..<20),
            ]
            fields += inner.map {
                (prefix + $0.0, $0.1.lowerBound + at..<$0.1.upperBound + at)
            }
            switch frame[at + 9] {
            case 6:
                fields += [
                    (prefix + "source port", next..<next + 2),
                    (prefix + "destination port", next + 2..<next + 4),
                    (prefix + "TCP checksum", next + 16..<next + 18),
                ]
                return fields
            case 17:
                fields += [
                    (prefix + "source port", next..<next + 2),
                    (prefix + "destination port", next + 2..<next + 4),
                    (prefix + "UDP checksum", next + 6..<next + 8),
                ]
                return fields
            case 1:
                fields += [
                    (prefix + "ICMP type", next..<next + 1),
                    (prefix + "ICMP code", next + 1..<next + 2),
                    (prefix + "ICMP checksum", next + 2..<next + 4),
                    (prefix + "ICMP rest", next + 4..<next + 8),
                ]
                prefix += "quoted "
                at = next + 8
            case 4:
                prefix += "inner "
                at = next
            default: return fields
            }
        }
        return fields
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        let hex = bytes.map { self.hex($0) }.joined()
        guard bytes.count <= 2 else { return hex }
        guard bytes.count == 4 else { return hex }
        return bytes.map { String($0) }.joined(separator: ".")
    }

    private static func hardware(_ frame: [UInt8], _ at: Int) -> String {
        frame[at..<at + 6].map { hex($0) }.joined(separator: ":")
    }

    private static func address(_ frame: [UInt8], _ at: Int) -> String {
        frame[at..<at + 4].map { String($0) }.joined(separator: ".")
    }

    private static func flags(_ byte: UInt8) -> String {
        let names = ["F", "S", "R", "P", "A", "U"]
        return (0..<6).filter { byte >> UInt8($0) & 1 == 1 }.map { names[$0] }.joined()
    }

    private static func hex(_ value: some FixedWidthInteger & UnsignedInteger) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: value.bitWidth / 4 - digits.count) + digits
    }
}

import Foundation

/// A recorded scenario: the set-up, every frame in and out, and listings (`scenario.json`).
package struct Golden: Decodable, Sendable {
    package struct Interface: Decodable, Sendable {
        package var name: String
        package var mac: String
        package var mtu: UInt32
        package var addresses: [String]
    }

    package struct Neighbour: Decodable, Sendable {
        package var ip: String
        package var dev: String
        package var mac: String
    }

    package struct Route: Decodable, Sendable {
        package var dst: String
        package var via: String?
        package var dev: String
    }

    package struct Setup: Decodable, Sendable {
        package var interfaces: [Interface]
        package var neighbours: [Neighbour]
        package var routes: [Route]
        package var sysctl: [String: String]?
        /// tcp, tcpfin and udp seconds.
        package var timeouts: [UInt32]?
        package var rules: [String]
        package var marks: [Mark]?
        package var laddrs: [LocalAddress]?
    }

    /// An address that servers with FULLNAT see clients by; the service as `-t ADDRESS:PORT`.
    package struct LocalAddress: Decodable, Sendable {
        package var service: String
        package var addr: String
    }

    /// Packets with these fields carry a mark.
    package struct Mark: Decodable, Sendable {
        var mark: UInt32
        /// 4 or 6.
        var family: Int?
        var proto: String?
        var src: String?
        var dst: String?
        var sport: UInt16?
        var dport: UInt16?
        /// Name of the interface it comes in by.
        var `in`: String?
    }

    /// A frame that must leave.
    package struct Output: Decodable, Sendable {
        package var `if`: String
        package var hex: String
        /// Fields the director may choose, as `ipv4id@14`.
        package var free: [String]?
        /// `host` or `forward`: not the director's doing.
        package var by: String?
    }

    package struct Step: Decodable, Sendable {
        package var n: Int
        package var op: String
        package var `if`: String?
        package var hex: String?
        package var note: String?
        package var args: [String]?
        package var fails: Bool?
        package var name: String?
        package var value: String?
        package var ms: UInt64?
        package var t: UInt64
        package var kind: String?
        package var text: String?
        package var out: [Output]?
    }

    package var name: String
    package var title: String
    package var tags: [String]?
    package var setup: Setup
    package var steps: [Step]

    /// Reads a scenario from its file.
    package init(contentsOf path: String) throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        self = try JSONDecoder().decode(Golden.self, from: data)
    }
}

extension [UInt8] {
    /// Bytes from hexadecimal digits; nil when there is anything else.
    package init?(hexadecimal text: String) {
        let digits = text.utf8.map { UInt8(ascii: $0) }
        guard digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = digits[index], let low = digits[index + 1] else { return nil }
            bytes.append(high << 4 | low)
        }
        self = bytes
    }
}

extension UInt8 {
    /// Value of a hexadecimal digit.
    fileprivate init?(ascii code: UInt8) {
        switch code {
        case 0x30...0x39: self = code - 0x30
        case 0x61...0x66: self = code - 0x61 + 10
        case 0x41...0x46: self = code - 0x41 + 10
        default: return nil
        }
    }
}

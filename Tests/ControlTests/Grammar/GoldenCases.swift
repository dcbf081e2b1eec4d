import Control
import Foundation
import LVS
import Testing

/// A recorded run of the original: a command line on a prepared table, and what came of it.
struct GoldenCase: Decodable, CustomTestStringConvertible {
    var id: String
    var feature: String
    var needs: [String]?
    var setup: [[String]]
    var argv: [String]
    var stdin: String?
    var compare: String?
    var tokens: [String]?
    var stdout: String
    var stderr: String
    var exit: Int32
    var after: [Step]

    var testDescription: String { "\(id): \(argv.joined(separator: " "))" }

    /// A read-only command run afterwards, and what it printed.
    struct Step: Decodable {
        var argv: [String]
        var stdout: String

        init(from decoder: any Decoder) throws {
            var parts = try decoder.unkeyedContainer()
            argv = try parts.decode([String].self)
            stdout = try parts.decode(String.self)
        }
    }

    static let all: [GoldenCase] = Fixtures.lines("ipvsadm-cli")
}

/// A table with arbitrary counters and what the original printed of it.
struct RenderingCase: Decodable, CustomTestStringConvertible {
    var id: String
    var state: State
    var argv: [String]
    var stdout: String
    var exit: Int32

    var testDescription: String { "\(id): \(argv.joined(separator: " "))" }

    static let all: [RenderingCase] = Fixtures.lines("ipvsadm-render")

    /// A table as values.
    struct State: Decodable {
        var tabsize: UInt32?
        var timeouts: [Int32]?
        var services: [Service]?
        var proc: [String: String]?
    }

    struct Service: Decodable {
        var family: Int
        var proto: String
        var addr: String
        var port: UInt16
        var fwmark: UInt32?
        var sched: String
        var flags: UInt32?
        var timeout: UInt32?
        var netmask: Netmask?
        var pe: String?
        var stats: [String: UInt64]?
        var dests: [Server]?
    }

    struct Server: Decodable {
        var addr: String
        var port: UInt16
        var fwd: String?
        var weight: UInt32?
        var u: UInt32?
        var l: UInt32?
        var tun_type: UInt8?
        var tun_port: UInt16?
        var tun_flags: UInt16?
        var active: UInt32?
        var inactive: UInt32?
        var persistent: UInt32?
        var stats: [String: UInt64]?
    }

    /// An IPv4 mask as an address, an IPv6 one as a length.
    struct Netmask: Decodable {
        var value: UInt32

        init(from decoder: any Decoder) throws {
            let one = try decoder.singleValueContainer()
            if let text = try? one.decode(String.self) {
                value = IPAddress(parsing: text)?.v4 ?? 0
            } else {
                value = try one.decode(UInt32.self)
            }
        }
    }
}

/// Reads recordings from the bundle.
enum Fixtures {
    static func lines<Case: Decodable>(_ name: String) -> [Case] {
        let url = Bundle.module.url(
            forResource: name, withExtension: "jsonl", subdirectory: "Fixtures")
        guard let url, let text = try? String(contentsOf: url, encoding: .utf8) else { return [] }
        return text.split(separator: "\n").compactMap {
            try? JSONDecoder().decode(Case.self, from: Data($0.utf8))
        }
    }
}

extension RenderingCase.State {
    /// The table the case describes.
    var table: MemoryTable {
        let table = MemoryTable()
        table.size = tabsize ?? 4096
        if let timeouts {
            table.timeoutSeconds = TimeoutsRecord(
                tcpSeconds: timeouts[0], tcpFinSeconds: timeouts[1], udpSeconds: timeouts[2])
        }
        table.texts.merge(proc ?? [:]) { _, new in new }
        table.listed = (services ?? []).compactMap { service in
            service.record.map {
                ListedService(
                    service: $0, servers: (service.dests ?? []).compactMap(\.record))
            }
        }
        return table
    }
}

extension RenderingCase.Service {
    var record: ServiceRecord? {
        guard let address = IPAddress(parsing: addr) else { return nil }
        let transport: UInt16 = proto == "tcp" ? 6 : proto == "udp" ? 17 : 132
        let identity: ServiceRecord.Identity =
            fwmark.map { .mark($0) } ?? .endpoint(transport: transport, address, port: port)
        return ServiceRecord(
            family: fwmark == nil ? address.family : family == 6 ? .v6 : .v4, identity: identity,
            scheduler: sched,
            flags: ServiceFlags(rawValue: flags ?? 0), timeoutSeconds: timeout ?? 0,
            netmask: netmask?.value, persistenceEngine: pe,
            statistics: StatisticsRecord(named: stats ?? [:]))
    }
}

extension RenderingCase.Server {
    var record: DestinationRecord? {
        guard let address = IPAddress(parsing: addr) else { return nil }
        let method = ["masq", "local", "tunnel", "route"].firstIndex(of: fwd ?? "masq") ?? 0
        var record = DestinationRecord(
            family: address.family, address: address, port: port, method: UInt32(method),
            weight: Int32(bitPattern: weight ?? 1), upperThreshold: u ?? 0,
            lowerThreshold: l ?? 0, tunnelType: tun_type ?? 0, tunnelPort: tun_port ?? 0,
            tunnelFlags: tun_flags ?? 0)
        record.activeConnections = active ?? 0
        record.inactiveConnections = inactive ?? 0
        record.persistentConnections = persistent ?? 0
        record.statistics = StatisticsRecord(named: stats ?? [:])
        return record
    }
}

extension StatisticsRecord {
    init(named values: [String: UInt64]) {
        self.init()
        connections = values["conns"] ?? 0
        inPackets = values["inpkts"] ?? 0
        outPackets = values["outpkts"] ?? 0
        inBytes = values["inbytes"] ?? 0
        outBytes = values["outbytes"] ?? 0
        connectionsPerSecond = values["cps"] ?? 0
        inPacketsPerSecond = values["inpps"] ?? 0
        outPacketsPerSecond = values["outpps"] ?? 0
        inBytesPerSecond = values["inbps"] ?? 0
        outBytesPerSecond = values["outbps"] ?? 0
    }
}

internal import LVS

/// The table with rates, as `--watch` shows it again and again.
struct LiveTable {
    let names: AddressNames
    /// What was shown last, and when.
    private var last: (services: [ListedService], nanoseconds: UInt64)?

    init(names: AddressNames) { self.names = names }

    private static let columns: [(title: String, width: Int)] = [
        ("Weight", 7), ("Active", 8), ("Inact", 8), ("Conn/s", 8), ("InPkt/s", 9),
        ("OutPkt/s", 9), ("In/s", 9), ("Out/s", 9),
    ]

    /// The table now; rates are those since the last call, of the director's own estimate at first.
    mutating func text(_ services: [ListedService], at nanoseconds: UInt64) -> String {
        let titles = Self.columns.map { $0.title.right($0.width) }.joined()
        let parts = ServiceText(names: names)
        var text = "Service, servers".left(42) + titles + "\n"
        for listed in services {
            let old = last?.services.first { $0.service.isSame(as: listed.service) }
            let active = listed.servers.reduce(UInt64(0)) { $0 + UInt64($1.activeConnections) }
            let inactive = listed.servers.reduce(UInt64(0)) { $0 + UInt64($1.inactiveConnections) }
            text += row(
                "\(parts.title(listed.service)) \(listed.service.scheduler)",
                ["", String(active), String(inactive)],
                rates(listed.service.statistics, old?.service.statistics, nanoseconds))
            for server in listed.servers {
                let before = old?.servers.first {
                    $0.address == server.address && $0.port == server.port
                }
                text += row(
                    "  -> \(parts.server(server, of: listed.service)) \(parts.method(server))",
                    [
                        String(server.weight), String(server.activeConnections),
                        String(server.inactiveConnections),
                    ], rates(server.statistics, before?.statistics, nanoseconds))
            }
        }
        last = (services, nanoseconds)
        return text
    }

    private func row(_ title: String, _ counts: [String], _ rates: [UInt64]) -> String {
        let values =
            counts + rates.prefix(3).map { Self.short($0, 1000) }
            + rates.suffix(2).map { Self.short($0, 1024) }
        let cells = zip(values, Self.columns).map { $0.right($1.width) }
        return title.left(42) + cells.joined() + "\n"
    }

    private func rates(
        _ new: StatisticsRecord, _ old: StatisticsRecord?, _ nanoseconds: UInt64
    ) -> [UInt64] {
        guard let old, let last, nanoseconds > last.nanoseconds else {
            return [
                new.connectionsPerSecond, new.inPacketsPerSecond, new.outPacketsPerSecond,
                new.inBytesPerSecond, new.outBytesPerSecond,
            ]
        }
        let seconds = Double(nanoseconds - last.nanoseconds) / 1e9
        return zip(new.counters, old.counters).map { new, old in
            // Counters that were zeroed in between begin anew.
            UInt64((Double(new >= old ? new - old : new) / seconds).rounded())
        }
    }

    /// At most four digits and a letter.
    static func short(_ value: UInt64, _ unit: UInt64) -> String {
        var rest = value
        var letter = ""
        for next in ["k", "M", "G", "T", "P"] where rest >= 10_000 {
            rest /= unit
            letter = next
        }
        return String(rest) + letter
    }
}

extension ServiceRecord {
    fileprivate func isSame(as other: ServiceRecord) -> Bool {
        family == other.family && identity == other.identity
    }
}

extension StatisticsRecord {
    fileprivate var counters: [UInt64] {
        [connections, inPackets, outPackets, inBytes, outBytes]
    }
}

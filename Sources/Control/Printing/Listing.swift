internal import LVS

/// The table of services and servers in one of its column sets (ipvsadm-cli section 5).
///
/// The one place that knows these widths; blanks at the ends of lines are part of the format.
package struct Listing {
    /// Which columns are shown.
    package enum Columns: Sendable {
        case plain
        case tunnelInfo
        case thresholds
        case persistentConnections
        case stats(exact: Bool)
        case rate(exact: Bool)
    }

    let columns: Columns
    private let parts: ServiceText

    package init(columns: Columns, names: AddressNames) {
        self.columns = columns
        parts = ServiceText(names: names)
    }

    /// The listing; without a table size the line that names it is left out.
    package func text(_ services: [ListedService], tableSize: UInt32?) -> String {
        var text = ""
        if let tableSize {
            text += "IP Virtual Server version 1.2.1 (size=\(tableSize))\n"
        }
        text += header
        for listed in services {
            text += line(listed.service)
            for server in listed.servers {
                let name = parts.server(server, of: listed.service)
                text += "  -> \(name.left(28))\(values(server))\n"
            }
        }
        return text
    }

    private var header: String {
        switch columns {
        case .plain:
            return """
                Prot LocalAddress:Port Scheduler Flags
                  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn

                """
        case .tunnelInfo:
            return """
                Prot LocalAddress:Port Scheduler Flags
                  -> RemoteAddress:Port           Forward TunnelInfo    Weight ActiveConn InActConn

                """
        case .thresholds:
            return titles([
                "Uthreshold".left(10), "Lthreshold".left(10), "ActiveConn".left(10),
                "InActConn".left(10),
            ])
        case .persistentConnections:
            return titles([
                "Weight".left(9), "PersistConn".left(11), "ActiveConn".left(10),
                "InActConn".left(10),
            ])
        case .stats:
            return titles(
                ["Conns", "InPkts", "OutPkts", "InBytes", "OutBytes"].map { $0.right(8) })
        case .rate:
            return titles(["CPS", "InPPS", "OutPPS", "InBPS", "OutBPS"].map { $0.right(8) })
        }
    }

    private func titles(_ titles: [String]) -> String {
        let first = "Prot LocalAddress:Port".left(33)
        return "\(first) \(titles.joined(separator: " "))\n  -> RemoteAddress:Port\n"
    }

    private func line(_ service: ServiceRecord) -> String {
        let title = parts.title(service)
        switch columns {
        case .plain, .tunnelInfo, .thresholds, .persistentConnections:
            return "\(title) \(service.scheduler)\(parts.flags(service))\n"
        case .stats(let exact):
            return title.left(33) + numbers(counters(service.statistics), exact: exact) + "\n"
        case .rate(let exact):
            return title.left(33) + numbers(rates(service.statistics), exact: exact) + "\n"
        }
    }

    /// What stands behind a server's address.
    private func values(_ server: DestinationRecord) -> String {
        let active = String(server.activeConnections).left(10)
        let inactive = String(server.inactiveConnections).left(10)
        switch columns {
        case .plain:
            let weight = String(server.weight).left(6)
            return " \(parts.method(server).left(7)) \(weight) \(active) \(inactive)"
        case .tunnelInfo:
            let weight = String(server.weight).left(6)
            let tunnel = parts.tunnel(server).left(13)
            return " \(parts.method(server).left(7)) \(tunnel) \(weight) \(active) \(inactive)"
        case .thresholds:
            let upper = String(server.upperThreshold).left(10)
            let lower = String(server.lowerThreshold).left(10)
            return " \(upper) \(lower) \(active) \(inactive)"
        case .persistentConnections:
            let weight = String(UInt32(bitPattern: server.weight)).left(9)
            let persistent = String(server.persistentConnections).left(11)
            return " \(weight) \(persistent) \(active) \(inactive)"
        case .stats(let exact):
            let values = counters(server.statistics)
            return numbers(values.prefix(3).map(Self.wrapped) + values.suffix(2), exact: exact)
        case .rate(let exact):
            // The first three are never abbreviated.
            let values = rates(server.statistics).map(Self.wrapped)
            return values.prefix(3).map { " " + String($0).right(8) }.joined()
                + numbers(Array(values.suffix(2)), exact: exact)
        }
    }

    private func numbers(_ values: [UInt64], exact: Bool) -> String {
        values.map { LargeNumber.text($0, exact: exact) }.joined()
    }

    private func counters(_ statistics: StatisticsRecord) -> [UInt64] {
        [
            statistics.connections, statistics.inPackets, statistics.outPackets,
            statistics.inBytes, statistics.outBytes,
        ]
    }

    private func rates(_ statistics: StatisticsRecord) -> [UInt64] {
        [
            statistics.connectionsPerSecond, statistics.inPacketsPerSecond,
            statistics.outPacketsPerSecond, statistics.inBytesPerSecond,
            statistics.outBytesPerSecond,
        ]
    }

    /// Servers' packets and rates have 32 bits in the original's output, services' have not.
    private static func wrapped(_ value: UInt64) -> UInt64 { value & 0xffff_ffff }
}

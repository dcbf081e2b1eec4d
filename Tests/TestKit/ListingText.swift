package import LVS

/// Listings as recordings have them, and how two are compared: the order of services, servers and
/// connections does not count, nor do spaces, header lines, or some seconds of a connection's rest.
package enum ListingText {
    /// What differs between a recorded listing and the director's own; empty when nothing does, nil
    /// for a kind this does not know.
    package static func differences(
        kind: String, recorded: String, director: Director, secondsApart: Int
    ) -> [String]? {
        let lines = recorded.split(separator: "\n").map { words($0) }.filter { !isHeader($0) }
        if kind == "conns" { return connectionDifferences(lines, director, secondsApart) }
        guard let own = text(kind, director) else { return nil }
        let expected = kind == "save" || kind == "timeouts" ? lines : blocks(lines)
        let actual = kind == "save" || kind == "timeouts" ? own : blocks(own)
        return minus(expected, actual).map { "- " + $0 } + minus(actual, expected).map { "+ " + $0 }
    }

    private static func text(_ kind: String, _ director: Director) -> [String]? {
        switch kind {
        case "timeouts":
            let timeouts = director.timeouts
            return [
                "Timeout (tcp tcpfin udp): \(timeouts.tcp) \(timeouts.tcpFin) \(timeouts.udp)"
            ]
        case "rules":
            return servers(director) { "\(forward($0)) \($0.server.weight) \(counts($0))" }
        case "thresholds":
            return servers(director) {
                "\($0.server.upperThreshold) \($0.server.lowerThreshold) \(counts($0))"
            }
        case "persistent":
            return servers(director) { "\($0.server.weight) \($0.persistent) \(counts($0))" }
        case "stats":
            return director.services().flatMap { listing in
                [serviceName(listing) + " " + numbers(listing.statistics)]
                    + listing.servers.map {
                        "-> \(serverName($0)) " + numbers($0.statistics)
                    }
            }
        case "save": return saved(director)
        default: return nil
        }
    }

    private static func servers(
        _ director: Director, _ columns: (ServerListing) -> String
    ) -> [String] {
        director.services().flatMap { listing in
            ["\(serviceName(listing)) \(scheduler(listing.service))\(flags(listing.service))"]
                + listing.servers.map { "-> \(serverName($0)) \(columns($0))" }
        }
    }

    private static func saved(_ director: Director) -> [String] {
        director.services().flatMap { listing -> [String] in
            guard case .address(let transport, let address, let port) = listing.service.key
            else { return [] }
            let option =
                transport == .sctp ? "--sctp-service" : transport == .tcp ? "-t" : "-u"
            let service = "\(option) \(address.dotted):\(port)"
            var line = "-A \(service) -s \(listing.service.scheduler)"
            if listing.service.flags.contains(.persistent) {
                line += " -p \(listing.service.persistenceTimeoutSeconds)"
                line += mask(listing.service).map { " -M \($0)" } ?? ""
            }
            if let engine = listing.service.persistenceEngine { line += " --pe \(engine)" }
            if let names = flagNames(listing.service) { line += " -b \(names)" }
            return [line]
                + listing.servers.map { server in
                    let method = ["Masq": "-m", "Route": "-g", "Tunnel": "-i"][forward(server)]
                    var line = "-a \(service) -r \(serverName(server)) \(method ?? "?")"
                    line += " -w \(server.server.weight)" + tunnel(server.server)
                    if server.server.upperThreshold != 0 {
                        line += " -x \(server.server.upperThreshold)"
                    }
                    if server.server.lowerThreshold != 0 {
                        line += " -y \(server.server.lowerThreshold)"
                    }
                    return line
                }
        }
    }

    private static func tunnel(_ server: RealServer) -> String {
        guard server.method == .tunnel else { return "" }
        func sum(_ flags: UInt16) -> String {
            flags & 1 != 0 ? " --tun-csum" : flags & 2 != 0 ? " --tun-remcsum" : " --tun-nocsum"
        }
        switch server.tunnel {
        case .ipip: return " --tun-type ipip"
        case .gue(let port, let flags):
            return " --tun-type gue --tun-port \(port)" + sum(flags)
        case .gre(let flags): return " --tun-type gre" + sum(flags)
        }
    }

    // MARK: Connections

    private static func connectionDifferences(
        _ lines: [String], _ director: Director, _ secondsApart: Int
    ) -> [String] {
        var own: [(name: String, seconds: Int)] = []
        director.forEachConnection { connection in
            let name = [
                transportName(connection.transport), connection.state,
                "\(connection.client.dotted):\(connection.clientPort)",
                "\(connection.virtual.dotted):\(connection.virtualPort)",
                "\(connection.real.dotted):\(connection.realPort)",
            ].joined(separator: " ")
            own.append((name, Int(connection.remainingSeconds)))
        }
        let recorded = lines.map { line -> (name: String, seconds: Int) in
            var words = line.split(separator: " ").map(String.init)
            let time = words.remove(at: 1).split(separator: ":").compactMap { Int($0) }
            return (words.joined(separator: " "), time.reduce(0) { $0 * 60 + $1 })
        }
        let names = minus(recorded.map(\.name), own.map(\.name)).map { "- " + $0 }
        let surplus = minus(own.map(\.name), recorded.map(\.name)).map { "+ " + $0 }
        guard names.isEmpty, surplus.isEmpty else { return names + surplus }
        let pairs = zip(recorded.sorted { $0 < $1 }, own.sorted { $0 < $1 })
        return pairs.compactMap { recorded, own in
            abs(recorded.seconds - own.seconds) <= secondsApart
                ? nil : "\(own.name): \(recorded.seconds) seconds left, got \(own.seconds)"
        }
    }

    private static func transportName(_ transport: TransportProtocol) -> String {
        switch transport {
        case .any: "IP"
        case .udp: "UDP"
        case .sctp: "SCTP"
        default: "TCP"
        }
    }

    // MARK: Words

    private static func words(_ line: some StringProtocol) -> String {
        line.split(separator: " ").joined(separator: " ")
    }

    private static func isHeader(_ line: String) -> Bool {
        [
            "IP Virtual Server", "Prot LocalAddress", "-> RemoteAddress", "IPVS connection",
            "pro expire",
        ].contains { line.hasPrefix($0) }
    }

    /// Lines of servers with the name of their service before them, so that a sorted list says all.
    private static func blocks(_ lines: [String]) -> [String] {
        var service = ""
        return lines.map { line in
            guard line.hasPrefix("->") else {
                service = line
                return line
            }
            return service + " " + line
        }
    }

    private static func minus(_ left: [String], _ right: [String]) -> [String] {
        var rest = right
        return left.filter { line in
            guard let found = rest.firstIndex(of: line) else { return true }
            rest.remove(at: found)
            return false
        }
    }

    private static func serviceName(_ listing: ServiceListing) -> String {
        switch listing.service.key {
        case .mark(let mark, let family): "FWM \(mark)" + (family == .v6 ? " IPv6" : "")
        case .address(let transport, let address, let port):
            "\(transportName(transport)) \(address.dotted):\(port)"
        }
    }

    /// The granularity of persistence; nil when every address is told apart.
    private static func mask(_ service: VirtualService) -> String? {
        guard service.key.family == .v4 else {
            return service.netmask == 128 ? nil : "\(service.netmask)"
        }
        return service.netmask == .max ? nil : IPAddress(v4: service.netmask).dotted
    }

    /// What stands behind the scheduler's name.
    private static func flags(_ service: VirtualService) -> String {
        var text = ""
        if service.flags.contains(.persistent) {
            text += " persistent \(service.persistenceTimeoutSeconds)"
            text += mask(service).map { " mask \($0)" } ?? ""
        }
        if let engine = service.persistenceEngine { text += " pe \(engine)" }
        if service.flags.contains(.onePacket) { text += " ops" }
        return text
    }

    private static func scheduler(_ service: VirtualService) -> String {
        service.scheduler + (flagNames(service).map { " (\($0))" } ?? "")
    }

    /// The flags of sh and mh; recordings have no others.
    private static func flagNames(_ service: VirtualService) -> String? {
        let fallback = service.flags.contains(.schedulerFlag1) ? "fallback" : nil
        let port = service.flags.contains(.schedulerFlag2) ? "port" : nil
        let names = [fallback, port].compactMap { $0.map { "\(service.scheduler)-\($0)" } }
        return names.isEmpty ? nil : names.joined(separator: ",")
    }

    private static func serverName(_ listing: ServerListing) -> String {
        "\(listing.server.address.dotted):\(listing.server.port)"
    }

    private static func forward(_ listing: ServerListing) -> String {
        switch listing.server.method {
        case .masquerading, .fullNAT: "Masq"
        case .localNode: "Local"
        case .tunnel: "Tunnel"
        case .directRouting, .bypass: "Route"
        }
    }

    private static func counts(_ listing: ServerListing) -> String {
        "\(listing.active) \(listing.inactive)"
    }

    private static func numbers(_ statistics: Statistics) -> String {
        let counters = statistics.counters
        return [
            counters.connections, counters.inPackets, counters.outPackets, counters.inBytes,
            counters.outBytes,
        ].map { String($0) }.joined(separator: " ")
    }
}

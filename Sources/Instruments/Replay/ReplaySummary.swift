package import LVS

/// What a replay came to: services and servers with their shares, drops by reason, and what was left
/// open at the end.
package struct ReplaySummary: Hashable, Sendable {
    /// What a real server got of its service.
    package struct Server: Hashable, Sendable {
        package var server: RealServer
        package var counters: CounterValues
        package var active: UInt32
        package var inactive: UInt32
        /// Its part of the service's connections, and of the service's weight, 0 to 1; nil where there
        /// is none to have a part of.
        package var share: Double?
        package var weightShare: Double?
    }

    /// A virtual service and its servers, oldest first.
    package struct Service: Hashable, Sendable {
        package var service: VirtualService
        package var counters: CounterValues
        package var servers: [Server]
    }

    /// Frames dropped for a reason.
    package struct Drop: Hashable, Sendable {
        package var reason: DropReason
        package var frames: UInt64
    }

    package var counts: Replay.Counts
    /// From the first packet to the last one, nanoseconds.
    package var duration: Int64
    /// Nanoseconds since 1970; nil without a packet.
    package var firstTime: Int64?
    package var services: [Service]
    package var drops: [Drop]
    /// Connections still in the table, and persistence templates.
    package var openConnections: UInt64
    package var openTemplates: UInt64
    /// What was assumed about the network, a sentence each.
    package var assumptions: [String]
    /// What was wrong with the capture, a line each.
    package var remarks: [String] = []
    /// Packets left out since the capture says that the director sent them.
    package var outgoing: UInt64 = 0

    /// The summary of what was read from captures.
    package init(of run: ReplayRun) {
        self.init(of: run.replay)
        remarks = run.remarks
        outgoing = run.outgoing
    }

    package init(of replay: Replay) {
        counts = replay.counts
        firstTime = replay.firstTime
        duration = replay.firstTime.map { replay.lastTime &- $0 } ?? 0
        services = replay.director.services().map(Service.init)
        drops = replay.director.dropCounts().filter { $0.frames > 0 }.map {
            Drop(reason: $0.reason, frames: $0.frames)
        }
        var open: (connections: UInt64, templates: UInt64) = (0, 0)
        replay.director.forEachConnection { connection in
            if connection.isTemplate { open.templates += 1 } else { open.connections += 1 }
        }
        openConnections = open.connections
        openTemplates = open.templates
        assumptions = replay.network.assumptions
        if !replay.madeUp.isEmpty {
            let names = replay.madeUp.map(\.address.description).sorted()
            let some = names.prefix(4).joined(separator: ", ")
            let rest = names.count > 4 ? " and \(names.count - 4) more" : ""
            assumptions.append(
                "nobody says the Ethernet address of \(some)\(rest): it was made up (a line "
                    + "'neighbour add ADDRESS lladdr MAC dev INTERFACE' says it)")
        }
    }
}

extension ReplaySummary.Service {
    init(_ listing: ServiceListing) {
        service = listing.service
        counters = listing.statistics.counters
        let connections = listing.servers.reduce(UInt64(0)) {
            $0 + $1.statistics.counters.connections
        }
        let weight = listing.servers.reduce(Int64(0)) { $0 + Int64($1.server.weight) }
        servers = listing.servers.reversed().map { server in
            let counters = server.statistics.counters
            return ReplaySummary.Server(
                server: server.server, counters: counters, active: server.active,
                inactive: server.inactive,
                share: connections == 0
                    ? nil : Double(counters.connections) / Double(connections),
                weightShare: weight == 0 ? nil : Double(server.server.weight) / Double(weight))
        }
    }
}

extension ReplaySummary {
    /// The summary for people, lines of at most 100 columns where names allow.
    package var text: String {
        var lines = [capture, frames]
        if counts.backwards > 0 {
            let first = counts.firstBackwards ?? 0
            lines.append(
                "times      \(counts.backwards) packets are earlier than the one before them, first "
                    + "packet \(first); they were taken at its time")
        }
        lines += remarks.map { "capture    \($0)" }
        lines += drops.map { "drop       \($0.reason.name) \($0.frames): \($0.reason.cure)" }
        lines.append(
            "open       \(openConnections) connections, \(openTemplates) persistence templates")
        lines += assumptions.map { "assumed    \($0)" }
        for service in services { lines += [""] + service.lines }
        return lines.joined(separator: "\n") + "\n"
    }

    private var capture: String {
        guard firstTime != nil else { return "capture    no packets" }
        return "capture    \(counts.packets) packets in \(ReplaySummary.seconds(duration)) s"
    }

    private var frames: String {
        var parts = [
            "\(counts.decided) decided", "\(counts.sent) sent", "\(counts.passed) left to the host",
            "\(counts.dropped) dropped",
        ]
        if counts.own + outgoing > 0 {
            parts.append("\(counts.own + outgoing) the director's own left out")
        }
        if counts.foreign > 0 { parts.append("\(counts.foreign) for other machines left out") }
        return "frames     " + parts.joined(separator: ", ")
    }

    /// Nanoseconds as seconds with three digits behind the point.
    static func seconds(_ nanoseconds: Int64) -> String {
        let milliseconds = nanoseconds / 1_000_000
        let rest = String(milliseconds % 1000)
        return "\(milliseconds / 1000)." + String(repeating: "0", count: 3 - rest.count) + rest
    }

    /// A part of one as a percentage with one digit behind the point.
    static func percent(_ share: Double?) -> String {
        guard let share else { return "-" }
        let tenths = Int((share * 1000).rounded())
        return "\(tenths / 10).\(tenths % 10)%"
    }
}

extension ReplaySummary.Service {
    fileprivate var lines: [String] {
        var table = TextTable([
            .left, .left, .right, .right, .right, .right, .right, .right, .right, .right, .right,
        ])
        table.add([
            "real server", "method", "conns", "share", "weight", "in pkts", "out pkts", "in bytes",
            "out bytes", "active", "inact",
        ])
        for server in servers {
            table.add(
                [
                    server.server.address.endpoint(server.server.port), server.server.method.word,
                ] + Self.counts(server.counters, server.share)
                    + [
                        ReplaySummary.percent(server.weightShare),
                        String(server.counters.inPackets), String(server.counters.outPackets),
                        String(server.counters.inBytes), String(server.counters.outBytes),
                        String(server.active), String(server.inactive),
                    ])
        }
        if servers.isEmpty { return ["\(service.key.text) \(service.scheduler): no real servers"] }
        return ["\(service.key.text) \(service.scheduler)"] + table.lines(indentedBy: 2)
    }

    private static func counts(_ counters: CounterValues, _ share: Double?) -> [String] {
        [String(counters.connections), ReplaySummary.percent(share)]
    }
}

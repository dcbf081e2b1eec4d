internal import LVS

extension ReplaySummary {
    /// The summary for programs.
    package var json: String { jsonObject.written() + "\n" }

    /// The summary with stable keys, for programs and for the report.
    var jsonObject: JSONText {
        .object([
            ("packets", .count(counts.packets)),
            ("seconds", .seconds(duration)),
            ("decided", .count(counts.decided)), ("sent", .count(counts.sent)),
            ("passed", .count(counts.passed)), ("dropped", .count(counts.dropped)),
            ("left_out", .count(counts.own + counts.foreign + outgoing)),
            ("open", .count(openConnections)),
            ("templates", .count(openTemplates)),
            ("backwards", .count(counts.backwards)),
            ("services", serviceList), ("drops", .list(drops.map(Self.drop))),
            ("remarks", .list(remarks.map { .text($0) })),
            ("assumptions", .list(assumptions.map { .text($0) })),
        ])
    }

    private var serviceList: JSONText {
        .list(
            services.map { service in
                .object([
                    ("name", .text(Words.service(service.service.key))),
                    ("scheduler", .text(Self.scheduler(service.service))),
                    ("servers", .list(service.servers.map(Self.server))),
                ])
            })
    }

    /// As listings have it behind a service.
    private static func scheduler(_ service: VirtualService) -> String {
        service.scheduler
            + (service.flags.contains(.persistent)
                ? " persistent \(service.persistenceTimeoutSeconds)" : "")
            + (service.flags.contains(.onePacket) ? " ops" : "")
    }

    private static func server(_ server: ReplaySummary.Server) -> JSONText {
        .object([
            ("name", .text(Words.endpoint(server.server.address, server.server.port))),
            ("method", .text(Words.method(server.server.method))),
            ("weight", .count(server.server.weight)),
            ("connections", .count(server.counters.connections)),
            ("share", server.share.map { .fraction($0) } ?? .null),
            ("due", server.weightShare.map { .fraction($0) } ?? .null),
            ("in_packets", .count(server.counters.inPackets)),
            ("out_packets", .count(server.counters.outPackets)),
            ("in_bytes", .count(server.counters.inBytes)),
            ("out_bytes", .count(server.counters.outBytes)),
            ("active", .count(server.active)), ("inactive", .count(server.inactive)),
        ])
    }

    private static func drop(_ drop: ReplaySummary.Drop) -> JSONText {
        .object([
            ("reason", .text(drop.reason.name)), ("frames", .count(drop.frames)),
            ("cure", .text(drop.reason.cure)),
        ])
    }
}

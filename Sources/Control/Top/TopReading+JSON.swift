extension TopReading {
    /// The reading for programs: the services and servers that `view` shows, in its order.
    ///
    /// Keys are those of listings and of the status; what is not known yet is left out.
    package func json(_ view: TopView) -> JSONValue {
        .members([
            "version": .text(feed.version),
            "uptime_seconds": .fraction(Double(feed.uptimeMilliseconds) / 1000),
            "seconds": secondsBetween.map { .fraction($0) },
            "table": .members([
                "connections": .count(feed.connections), "capacity": .count(feed.capacity),
            ]),
            "stats": ListingJSON.stats(feed.total), "rate": Self.json(total),
            "workers": .list(zip(feed.workers, loads).map(Self.json)),
            "drops": .list(drops.map(Self.json)), "services": .list(services(view)),
        ])
    }

    private func services(_ view: TopView) -> [JSONValue] {
        var services: [(service: TopFeed.Service, servers: [TopFeed.Server])] = []
        for row in view.rows(of: self) {
            let service = feed.services[row.service]
            if let server = row.server {
                services[services.count - 1].servers.append(service.servers[server])
            } else {
                services.append((service, []))
            }
        }
        return services.map { service, servers in
            .members([
                "name": .text(service.title.split(separator: " ").joined(separator: " ")),
                "scheduler": .text(service.scheduler),
                "active_connections": .count(service.active),
                "inactive_connections": .count(service.inactive),
                "stats": ListingJSON.stats(service.statistics),
                "rate": Self.json(rates(of: service)),
                "servers": view.showsServers
                    ? .list(servers.map { json($0, of: service) }) : nil,
            ])
        }
    }

    private func json(_ server: TopFeed.Server, of service: TopFeed.Service) -> JSONValue {
        .members([
            "name": .text(server.endpoint), "method": .text(server.method),
            "weight": .number(Int64(server.weight)),
            "active_connections": .count(server.active),
            "inactive_connections": .count(server.inactive),
            "stats": ListingJSON.stats(server.statistics),
            "rate": Self.json(rates(of: server, in: service)),
        ])
    }

    private static func json(_ rates: Rates) -> JSONValue {
        .members([
            "connections_per_second": .fraction(rates.connections),
            "in_packets_per_second": .fraction(rates.inPackets),
            "out_packets_per_second": .fraction(rates.outPackets),
            "in_bytes_per_second": .fraction(rates.inBytes),
            "out_bytes_per_second": .fraction(rates.outBytes),
        ])
    }

    private static func json(_ worker: TopFeed.Worker, _ load: Load) -> JSONValue {
        .members([
            "cpu": worker.cpu.map { .number(Int64($0)) } ?? .null,
            "frames": .count(worker.frames), "bursts": .count(worker.bursts),
            "cpu_nanoseconds": .count(worker.cpuNanoseconds),
            "load": load.share.map { .fraction($0) },
            "frames_per_second": load.share.map { _ in .fraction(load.framesPerSecond) },
            "frames_per_burst": load.share.map { _ in .fraction(load.framesPerBurst) },
        ])
    }

    private static func json(_ drop: Drop) -> JSONValue {
        .members([
            "reason": .text(drop.reason), "frames": .count(drop.frames),
            "frames_per_second": drop.perSecond.map { .fraction($0) },
        ])
    }
}

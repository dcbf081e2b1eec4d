internal import LVS

/// Listings for programs: `--json`.
///
/// Every listing of the table has all keys, whatever columns were asked for; a key that does not apply
/// is left out. Keys stay as they are; new ones may come.
enum ListingJSON {
    /// The table; the size is left out where one service was asked for.
    static func table(_ services: [ListedService], tableSize: UInt32?) -> JSONValue {
        .members([
            "version": .text("1.2.1"), "size": tableSize.map { .count($0) },
            "services": .list(services.map(service)),
        ])
    }

    /// The local addresses of services that have some.
    static func locals(_ services: [ListedService]) -> JSONValue {
        .members([
            "services": .list(
                services.filter { !$0.locals.isEmpty }.map { listed in
                    identity(listed.service).joined(
                        .members(["local_addresses": .list(listed.locals.map(local))]))
                })
        ])
    }

    static func timeouts(_ timeouts: TimeoutsRecord) -> JSONValue {
        .members([
            "timeouts": .members([
                "tcp": .number(Int64(timeouts.tcpSeconds)),
                "tcp_fin": .number(Int64(timeouts.tcpFinSeconds)),
                "udp": .number(Int64(timeouts.udpSeconds)),
            ])
        ])
    }

    static func daemons(_ daemons: [DaemonRecord]) -> JSONValue {
        .members([
            "daemons": .list(
                daemons.map { daemon in
                    let group: IPAddress? =
                        switch daemon.group {
                        case .v4(let address), .v6(let address): address
                        case nil: nil
                        }
                    return .members([
                        "state": .text(daemon.role == .backup ? "backup" : "master"),
                        "interface": .text(daemon.interface), "syncid": .count(daemon.syncID),
                        "max_length": daemon.maximumBytes.map { .count($0) },
                        "group": group.map { .text($0.description) },
                        "port": daemon.port.map { .count($0) },
                        "ttl": daemon.timeToLive.map { .count($0) },
                    ])
                })
        ])
    }

    /// Settings from lines `name = value`.
    static func settings(_ text: String) -> JSONValue {
        let members = text.split(separator: "\n").compactMap { line -> JSONValue.Member? in
            let words = line.split(separator: " ", maxSplits: 2)
            guard words.count == 3, words[1] == "=" else { return nil }
            return JSONValue.Member(
                key: String(words[0]),
                value: Int64(words[2]).map(JSONValue.number) ?? .text(String(words[2])))
        }
        return .members(["settings": .object(members)])
    }

    /// What a service is found by.
    private static func identity(_ service: ServiceRecord) -> JSONValue {
        var mark: UInt32?
        var endpoint: (transport: UInt16, address: IPAddress, port: UInt16)?
        switch service.identity {
        case .mark(let value): mark = value
        case .endpoint(let transport, let address, let port):
            endpoint = (transport, address, port)
        }
        let transport = endpoint.map { endpoint in
            UInt8(exactly: endpoint.transport).map(TransportProtocol.init(rawValue:))?.serviceName
                ?? String(endpoint.transport)
        }
        return .members([
            "protocol": transport.map { .text($0) },
            "address": endpoint.map { .text(AddressNames.text($0.address, service.family)) },
            "port": endpoint.map { .count($0.port) },
            "fwmark": mark.map { .count($0) },
            "family": .text(service.family == .v4 ? "ipv4" : "ipv6"),
        ])
    }

    private static func service(_ listed: ListedService) -> JSONValue {
        let service = listed.service
        let members = JSONValue.members([
            "scheduler": .text(service.scheduler),
            "scheduler_flags": .list(flags(service)),
            "one_packet": .boolean(service.flags.contains(.onePacket)),
            "persistence": service.flags.contains(.persistent) ? persistence(service) : nil,
            "fullnat": fullNAT(service),
            "local_addresses": listed.locals.isEmpty ? nil : .list(listed.locals.map(local)),
            "stats": stats(service.statistics), "rate": rate(service.statistics),
            "servers": .list(listed.servers.map(server)),
        ])
        return identity(service).joined(members)
    }

    private static func local(_ local: LocalRecord) -> JSONValue {
        .members([
            "address": .text(local.address.description), "taken_ports": .large(local.takenPorts),
            "refused_connections": .large(local.refused),
        ])
    }

    /// What the service asks for at its servers with FULLNAT; nil when it asks for nothing.
    private static func fullNAT(_ service: ServiceRecord) -> JSONValue? {
        guard let options = service.fullNAT, options != FullNATOptions.none else { return nil }
        let toa: String? =
            switch options.clientAddress {
            case .toa: "ack"
            case .toaFromSYN: "syn"
            default: nil
            }
        let proxy: String? =
            switch options.clientAddress {
            case .proxyV1: "v1"
            case .proxyV2: "v2"
            default: nil
            }
        return .members([
            "toa": toa.map { .text($0) }, "proxy_protocol": proxy.map { .text($0) },
            "new_isn": .boolean(options.startsSequenceAnew),
            "no_timestamps": .boolean(options.removesTimestamps),
        ])
    }

    private static func flags(_ service: ServiceRecord) -> [JSONValue] {
        let text = SchedulerFlagNames.text(service.flags, scheduler: service.scheduler) ?? ""
        return text.split(separator: ",").map { .text(String($0)) }
    }

    private static func persistence(_ service: ServiceRecord) -> JSONValue {
        .members([
            "timeout": .count(service.timeoutSeconds),
            "netmask": service.family == .v4
                ? .text(AddressNames.ipv4(service.netmask)) : nil,
            "prefix_length": service.family == .v6 ? .count(service.netmask) : nil,
            "engine": service.persistenceEngine.map { .text($0) },
        ])
    }

    private static func server(_ server: DestinationRecord) -> JSONValue {
        let methods = ["masquerading", "local", "tunnel", "direct"]
        let number = Int(server.method)
        return .members([
            "address": .text(AddressNames.text(server.address, server.family)),
            "port": .count(server.port),
            "method": .text(
                server.isFullNAT
                    ? "fullnat"
                    : methods.indices.contains(number) ? methods[number] : String(number)),
            "tunnel": number == 2 ? tunnel(server) : nil,
            "weight": .number(Int64(server.weight)),
            "upper_threshold": .count(server.upperThreshold),
            "lower_threshold": .count(server.lowerThreshold),
            "active_connections": .count(server.activeConnections),
            "inactive_connections": .count(server.inactiveConnections),
            "persistent_connections": .count(server.persistentConnections),
            "stats": stats(server.statistics), "rate": rate(server.statistics),
        ])
    }

    private static func tunnel(_ server: DestinationRecord) -> JSONValue {
        let types = ["ipip", "gue", "gre"]
        let number = Int(server.tunnelType)
        return .members([
            "type": .text(types.indices.contains(number) ? types[number] : String(number)),
            "port": number == 1 ? .count(server.tunnelPort) : nil,
            "checksum": .boolean(server.tunnelFlags & 1 != 0),
            "remote_checksum": .boolean(server.tunnelFlags & 2 != 0),
        ])
    }

    static func stats(_ statistics: StatisticsRecord) -> JSONValue {
        .members([
            "connections": .count(statistics.connections),
            "in_packets": .count(statistics.inPackets),
            "out_packets": .count(statistics.outPackets),
            "in_bytes": .count(statistics.inBytes), "out_bytes": .count(statistics.outBytes),
        ])
    }

    private static func rate(_ statistics: StatisticsRecord) -> JSONValue {
        .members([
            "connections_per_second": .count(statistics.connectionsPerSecond),
            "in_packets_per_second": .count(statistics.inPacketsPerSecond),
            "out_packets_per_second": .count(statistics.outPacketsPerSecond),
            "in_bytes_per_second": .count(statistics.inBytesPerSecond),
            "out_bytes_per_second": .count(statistics.outBytesPerSecond),
        ])
    }
}

extension JSONValue {
    /// The members of this object and of another behind them.
    fileprivate func joined(_ other: JSONValue) -> JSONValue {
        guard case .object(let first) = self, case .object(let second) = other else { return self }
        return .object(first + second)
    }
}

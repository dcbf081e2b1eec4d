// Where NAT replies come from: what the workers know of them and the host must not see.

/// An endpoint that is still needed although no configured server has it: connections of a server that
/// was deleted, or is no longer one of NAT, go on until they end (ipvs-semantics 3.2, 3.3).
struct LingeringReplies {
    var number: DestinationIndex
    var server: RealServer
    /// As it was then.
    var service: VirtualService
}

extension Director {
    /// Notes that one more (1) or one less (-1) configured server sends NAT replies from an endpoint.
    func countReplies(from server: RealServer, of service: VirtualService, by amount: Int) {
        for endpoint in service.replies(from: server) {
            let count = replyEndpoints[endpoint, default: 0] + amount
            replyEndpoints[endpoint] = count == 0 ? nil : count
            if count == 0 || count == amount { isTableStale = true }
        }
        countTunnel(to: server, by: amount)
    }

    /// Counts a tunnel by the endpoint that errors about its packets quote: address, and port or 0.
    private func countTunnel(to server: RealServer, by amount: Int) {
        guard let endpoint = server.tunnelEndpoint else { return }
        let count = tunnelEndpoints[endpoint, default: 0] + amount
        tunnelEndpoints[endpoint] = count == 0 ? nil : count
        if count == 0 || count == amount { isTableStale = true }
    }

    /// As above for a server that is one less: its replies stay the director's while it has
    /// connections.
    func endReplies(from server: ServerRecord, of service: VirtualService) {
        guard server.server.method.isTranslating, cells[server.number].isReferenced else {
            countReplies(from: server.server, of: service, by: -1)
            return
        }
        lingeringReplies.append(
            LingeringReplies(number: server.number, server: server.server, service: service))
    }

    /// Whether replies of IPv4 can belong to a service of IPv6.
    var translatesFamilies: Bool {
        records.contains { record in
            record.service.key.family == .v6
                && record.servers.contains { $0.server.isOtherFamily(record.service.key.family) }
        }
            || lingeringReplies.contains { $0.server.isOtherFamily($0.service.key.family) }
    }

    /// Lets go of endpoints whose last connection has ended; once a second.
    func endLingeringReplies() {
        guard !lingeringReplies.isEmpty else { return }
        lingeringReplies.removeAll { lingering in
            guard !cells[lingering.number].isReferenced else { return false }
            countReplies(from: lingering.server, of: lingering.service, by: -1)
            return true
        }
        publishServers()
    }
}

extension RealServer {
    /// True for a server whose packets are translated from, and to, another family of the service.
    func isOtherFamily(_ family: AddressFamily) -> Bool {
        method == .fullNAT && address.family != family
    }

    /// What errors about packets in the tunnel to the server quote; nil when there is no tunnel.
    package var tunnelEndpoint: ServedTraffic.Endpoint? {
        method == .tunnel ? Encapsulation(tunnel).endpoint(of: address) : nil
    }
}

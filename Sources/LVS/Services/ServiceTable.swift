/// All services as workers find them, immutable: a flat index of addresses, and answers to whether
/// the host's stack has been kept from a frame.
///
/// The housekeeper builds a new table for every change and publishes it (`PublishedServices`); an
/// old one is freed when no worker can hold it any more. Nothing here is reference counted on the
/// packet path: services are kept alive by the table's owner.
@safe
package struct ServiceTable: @unchecked Sendable {
    /// What a table consists of; written once, before it is published.
    @unsafe
    struct Header {
        var services: EndpointIndex
        /// NAT servers, whose replies are ours.
        var servers: EndpointIndex
        /// Servers reached by tunnel.
        var tunnels: EndpointIndex
        /// The host's own addresses.
        var hosts: EndpointIndex
        var hostsAlone: EndpointIndex
        /// The port of the host door; nil without one.
        var door: PortIndex?
        /// What is served by mark, as far as the ingress block can tell it.
        var marked: EndpointIndex
        var blocks: BlockList
        var marks: MarkClassifier
        var objects: UnsafeMutablePointer<Unmanaged<Service>>
        var count: Int
        var hasV4: Bool
        var hasV6: Bool
        var hasPortZero: Bool
        var hasFTP: Bool
        var hasMarks: Bool
        /// Some service has a persistence engine.
        var hasEngines: Bool
    }

    let header: UnsafeMutablePointer<Header>

    init(header: UnsafeMutablePointer<Header>) { unsafe self.header = header }

    /// True while at least one service of the family exists, or a server of it behind a service of
    /// the other; without one the director leaves the family's packets alone (ipvs-semantics 0.1).
    package func hasServices(_ family: AddressFamily) -> Bool {
        unsafe family == .v4 ? header.pointee.hasV4 : header.pointee.hasV6
    }

    /// The service a packet to this address and port (host order) belongs to (ipvs-semantics 1.1).
    package func find(
        mark: UInt32, _ transport: TransportProtocol, _ address: IPAddress, port: UInt16,
        telling narrator: Narrator? = nil
    ) -> Service? {
        func ask(_ key: EndpointIndex.Key, _ question: ServiceQuestion) -> Service? {
            let found = unsafe header.pointee.services.find(key)
            narrator?.note(.askedService(question, isFound: found != nil))
            return found.map(service)
        }
        if mark != 0 {
            let family = address.family
            if let found = ask(.mark(mark, family), .mark(mark, family)) { return found }
        }
        if let found = ask(
            .endpoint(transport, address, port), .endpoint(transport, address, port: port))
        {
            return found
        }
        if transport == .tcp, unsafe header.pointee.hasFTP, port == 20 || port >= 1024,
            let found = ask(.endpoint(transport, address, 21), .ftp(address))
        {
            return found
        }
        if unsafe header.pointee.hasPortZero {
            return ask(.endpoint(transport, address, 0), .everyPort(transport, address))
        }
        return nil
    }

    /// True when the ingress block keeps packets to this endpoint from the host.
    package func isService(
        _ transport: TransportProtocol, _ address: IPAddress, port: UInt16
    ) -> Bool {
        let services = unsafe header.pointee.services
        return services.find(.endpoint(transport, address, port)) != nil
            || (unsafe header.pointee.hasPortZero
                && services.find(.endpoint(transport, address, 0)) != nil)
            || (unsafe header.pointee.hasFTP
                && services.find(.everyPort(transport, address)) != nil)
            || (hasMarks && isMarked(transport, address, port: port))
    }

    /// True while there are services by mark; only then the marks of packets matter.
    package var hasMarks: Bool { unsafe header.pointee.hasMarks }

    /// The mark of a packet by the host's and the director's own rules; the one it came with where
    /// none applies.
    package func mark(
        of packet: Packet, in frame: Frame, telling narrator: Narrator? = nil
    ) -> UInt32 {
        guard hasMarks, packet.isIPv4 || packet.isIPv6, packet.kind != .malformed else {
            return frame.mark
        }
        let isICMP = packet.kind == .icmpError || packet.kind == .icmpOther
        let subject = MarkClassifier.Subject(
            source: packet.source, destination: packet.destination, transport: packet.transport,
            hasPorts: packet.kind == .flow || packet.kind == .optioned,
            sourcePort: packet.sourcePort, destinationPort: packet.destinationPort,
            tcpFlags: packet.tcpFlags,
            icmp: isICMP ? (packet.icmpType, packet.icmpCode) : nil, ingress: frame.ingress)
        let mark = unsafe header.pointee.marks.mark(
            subject, given: frame.mark, hosts: header.pointee.hosts, telling: narrator)
        narrator?.note(.mark(mark, carried: frame.mark))
        return mark
    }

    private func isMarked(
        _ transport: TransportProtocol, _ address: IPAddress, port: UInt16
    ) -> Bool {
        let marked = unsafe header.pointee.marked
        return marked.find(.endpoint(transport, address, port)) != nil
            || marked.find(.endpoint(transport, address, 0)) != nil
            || (unsafe header.pointee.blocks.contains(transport, address, port: port))
    }

    /// True when packets from this endpoint are replies of a NAT server.
    package func isServer(
        _ transport: TransportProtocol, _ address: IPAddress, port: UInt16
    ) -> Bool {
        let servers = unsafe header.pointee.servers
        return servers.find(.endpoint(transport, address, port)) != nil
            || servers.find(.endpoint(transport, address, 0)) != nil
    }

    /// True when some service of this protocol, or of any when nil, has the address: what decides
    /// about fragments without ports and about ICMP errors.
    package func isServiceAddress(_ transport: TransportProtocol?, _ address: IPAddress) -> Bool {
        unsafe header.pointee.services.find(.address(transport, address)) != nil
            || (unsafe header.pointee.hasMarks
                && (header.pointee.marked.find(.address(transport, address)) != nil
                    || header.pointee.blocks.contains(transport, address)))
    }

    /// As `isServiceAddress`, for the addresses of NAT servers.
    package func isServerAddress(_ transport: TransportProtocol?, _ address: IPAddress) -> Bool {
        unsafe header.pointee.servers.find(.address(transport, address)) != nil
    }

    /// True when some real server gets its packets by such a tunnel.
    func isTunnel(_ encapsulation: Encapsulation, to address: IPAddress) -> Bool {
        let endpoint = encapsulation.endpoint(of: address)
        let key = EndpointIndex.Key.endpoint(
            endpoint.transport, endpoint.address, endpoint.port)
        return unsafe header.pointee.tunnels.find(key) != nil
    }

    /// True for the endpoint of a tunnel to some real server.
    func isTunnel(
        _ transport: TransportProtocol, _ address: IPAddress, port: UInt16
    ) -> Bool {
        let tunnels = unsafe header.pointee.tunnels
        return tunnels.find(.endpoint(transport, address, port)) != nil
            || tunnels.find(.endpoint(transport, address, 0)) != nil
    }

    /// True for the host's own addresses.
    package func isHost(_ address: IPAddress) -> Bool {
        unsafe header.pointee.hosts.find(.address(nil, address)) != nil
    }

    /// True for those at which replies of servers are the host's (`ServedTraffic.hostsAlone`).
    func isHostsAlone(_ address: IPAddress) -> Bool {
        unsafe header.pointee.hostsAlone.find(.address(nil, address)) != nil
    }

    /// The service with a persistence engine whose NAT server this endpoint is, and the server, for
    /// packets that servers send by themselves (ipvs-semantics 5.6).
    func engineService(
        _ transport: TransportProtocol, _ address: IPAddress, port: UInt16
    ) -> (Service, Destination)? {
        guard unsafe header.pointee.hasEngines, isServer(transport, address, port: port) else {
            return nil
        }
        for index in unsafe 0..<UInt32(header.pointee.count) {
            let service = service(index)
            guard service.engine != nil, case .address(transport, _, let own) = service.key,
                own != 0, let server = service.server(at: address, port: port),
                server.method.isTranslating
            else { continue }
            return (service, server)
        }
        return nil
    }

    /// True for the host door, by which packets of the host's own servers come.
    package func isDoor(_ port: PortIndex) -> Bool { unsafe header.pointee.door == port }

    private func service(_ index: UInt32) -> Service {
        unsafe header.pointee.objects[Int(index)].takeUnretainedValue()
    }
}

/// Builds service tables, and owns what a table points at until it is freed.
struct ServiceTableBuilder {
    /// Services in the order of listings.
    var services: [Service] = []
    /// Endpoints of NAT servers.
    var servers: Set<ServedTraffic.Endpoint> = []
    /// Where packets in tunnels go to; see `Encapsulation.endpoint`.
    var tunnels: Set<ServedTraffic.Endpoint> = []
    var hosts: Set<IPAddress> = []
    /// Those at which replies of servers are the host's.
    var hostsAlone: Set<IPAddress> = []
    /// Some service of IPv6 has, or had, a server of IPv4 whose replies are translated.
    var translatesFamilies = false
    /// The port of the host door; nil without one.
    var door: PortIndex?
    /// What marking rules mark for services by mark.
    var marked = ServedTraffic()
    /// The marking rules, and the ports they name.
    var marks: (rules: [MarkRule], ports: [Port]) = ([], [])

    /// A table of what is set now; the caller frees it with `ServiceTable.deallocate`.
    func build() -> ServiceTable {
        var entries: [(EndpointIndex.Key, UInt32)] = []
        var flags = (v4: false, v6: false, portZero: false, ftp: false, marks: false)
        for (index, service) in services.enumerated() {
            switch service.key {
            case .mark(let mark, let family):
                entries.append((.mark(mark, family), UInt32(index)))
                flags.marks = true
            case .address(let transport, let address, let port):
                entries.append((.endpoint(transport, address, port), UInt32(index)))
                entries.append((.address(transport, address), 0))
                entries.append((.address(nil, address), 0))
                flags.portZero = flags.portZero || port == 0
                flags.ftp = flags.ftp || (port == 21 && transport == .tcp)
                if port == 21, transport == .tcp {
                    entries.append((.everyPort(transport, address), 0))
                }
            }
            if service.key.family == .v4 { flags.v4 = true } else { flags.v6 = true }
        }
        flags.v4 = flags.v4 || (flags.v6 && translatesFamilies)
        let objects = UnsafeMutablePointer<Unmanaged<Service>>.allocate(
            capacity: max(services.count, 1))
        for (index, service) in services.enumerated() {
            unsafe (objects + index).initialize(to: Unmanaged.passRetained(service))
        }
        let header = UnsafeMutablePointer<ServiceTable.Header>.allocate(capacity: 1)
        unsafe header.initialize(
            to: ServiceTable.Header(
                services: EndpointIndex(entries),
                servers: EndpointIndex(ServiceTableBuilder.entries(servers)),
                tunnels: EndpointIndex(ServiceTableBuilder.entries(tunnels)),
                hosts: EndpointIndex(hosts.map { (.address(nil, $0), 0) }),
                hostsAlone: EndpointIndex(hostsAlone.map { (.address(nil, $0), 0) }), door: door,
                marked: EndpointIndex(ServiceTableBuilder.entries(marked.services)),
                blocks: BlockList(marked.blocks),
                marks: MarkClassifier(marks.rules, ports: marks.ports), objects: objects,
                count: services.count, hasV4: flags.v4, hasV6: flags.v6,
                hasPortZero: flags.portZero, hasFTP: flags.ftp, hasMarks: flags.marks,
                hasEngines: services.contains { $0.engine != nil }))
        return unsafe ServiceTable(header: header)
    }

    private static func entries(
        _ endpoints: Set<ServedTraffic.Endpoint>
    ) -> [(EndpointIndex.Key, UInt32)] {
        endpoints.flatMap { endpoint in
            [
                (.endpoint(endpoint.transport, endpoint.address, endpoint.port), 0),
                (.address(endpoint.transport, endpoint.address), 0),
                (.address(nil, endpoint.address), 0),
            ]
        }
    }
}

extension ServiceTable {
    /// Frees a table that no worker can see any more.
    func deallocate() {
        unsafe header.pointee.services.deallocate()
        unsafe header.pointee.servers.deallocate()
        unsafe header.pointee.tunnels.deallocate()
        unsafe header.pointee.hosts.deallocate()
        unsafe header.pointee.hostsAlone.deallocate()
        unsafe header.pointee.marked.deallocate()
        unsafe header.pointee.blocks.deallocate()
        unsafe header.pointee.marks.deallocate()
        let count = unsafe header.pointee.count
        for index in 0..<count {
            unsafe header.pointee.objects[index].release()
        }
        unsafe header.pointee.objects.deallocate()
        unsafe header.deallocate()
    }
}

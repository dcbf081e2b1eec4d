internal import LVS

/// The parts of lines about services and servers that several listings share.
struct ServiceText {
    let names: AddressNames

    /// `TCP  ADDRESS:PORT` or `FWM  MARK`; marks are printed as signed numbers.
    func title(_ service: ServiceRecord) -> String {
        switch service.identity {
        case .mark(let mark):
            let family = service.family == .v6 ? " IPv6" : ""
            return "FWM  \(Int32(bitPattern: mark))\(family)"
        case .endpoint(let number, let address, let port):
            let transport = Self.transport(number)
            let endpoint = names.endpoint(
                address, service.family, port: port, transport: transport)
            let name = transport?.serviceName?.uppercased() ?? String(number)
            return Self.cut("\(name.left(4)) \(endpoint)", 33, service.family)
        }
    }

    /// The server's `ADDRESS:PORT`.
    func server(_ server: DestinationRecord, of service: ServiceRecord) -> String {
        let endpoint = names.endpoint(
            server.address, server.family, port: server.port, transport: transport(service))
        return Self.cut(endpoint, 28, server.family)
    }

    func transport(_ service: ServiceRecord) -> TransportProtocol? {
        guard case .endpoint(let number, _, _) = service.identity else { return nil }
        return Self.transport(number)
    }

    /// Everything behind the scheduler's name, each part with a blank in front.
    func flags(_ service: ServiceRecord) -> String {
        var text = ""
        if let flags = SchedulerFlagNames.text(service.flags, scheduler: service.scheduler) {
            text += " (\(flags))"
        }
        if service.flags.contains(.persistent) {
            text += " persistent \(service.timeoutSeconds)"
            if let mask = mask(service) { text += " mask \(mask)" }
            if let engine = service.persistenceEngine { text += " pe \(engine)" }
        }
        if service.flags.contains(.onePacket) { text += " ops" }
        if let fullNAT = service.fullNAT { text += fullNAT.words("") }
        return text
    }

    /// The mask of persistence when it is not that of single addresses.
    func mask(_ service: ServiceRecord) -> String? {
        if service.family == .v6 {
            return service.netmask == 128 ? nil : String(service.netmask)
        }
        return service.netmask == .max ? nil : AddressNames.ipv4(service.netmask)
    }

    func method(_ server: DestinationRecord) -> String {
        switch server.method {
        case 0: server.isFullNAT ? "FullNat" : "Masq"
        case 1: "Local"
        case 2: "Tunnel"
        default: "Route"
        }
    }

    /// Type, port and checksum of a tunnel.
    func tunnel(_ server: DestinationRecord) -> String {
        guard server.method == UInt32(ForwardingMethod.tunnel.rawValue) else { return "n/a" }
        let hasChecksum = server.tunnelFlags & 1 != 0
        switch server.tunnelType {
        case 1:
            let isRemote = server.tunnelFlags & 2 != 0
            let sum = hasChecksum ? "+c" : isRemote ? "r+c" : "-c"
            return "gue:\(server.tunnelPort):\(sum)"
        case 2: return "gre:\(hasChecksum ? "+c" : "-c")"
        default: return "ipip"
        }
    }

    private static func transport(_ number: UInt16) -> TransportProtocol? {
        UInt8(exactly: number).map(TransportProtocol.init(rawValue:))
    }

    private static func cut(_ text: String, _ length: Int, _ family: AddressFamily) -> String {
        family == .v4 ? String(decoding: text.utf8.prefix(length), as: UTF8.self) : text
    }
}

extension FullNATOptions {
    /// The options of the command line that ask for this, each with a blank in front and the mark of
    /// options, or none.
    func words(_ mark: String) -> String {
        var text =
            switch clientAddress {
            case .hidden: ""
            case .toa: " \(mark)toa ack"
            case .toaFromSYN: " \(mark)toa syn"
            case .proxyV1: " \(mark)proxy-protocol v1"
            case .proxyV2: " \(mark)proxy-protocol v2"
            }
        if startsSequenceAnew { text += " \(mark)new-isn" }
        if removesTimestamps { text += " \(mark)no-timestamps" }
        return text
    }
}

internal import LVS

/// The table as commands, as `-S` prints it and `-R` reads it (ipvsadm-cli section 6).
package enum SavedRules {
    /// One line per service, local address and server.
    package static func text(_ services: [ListedService], names: AddressNames) -> String {
        let parts = ServiceText(names: names)
        var text = ""
        for listed in services {
            let name = name(listed.service, names)
            text += "-A \(name) -s \(listed.service.scheduler)"
            text += "\(options(listed.service, parts))\n"
            for local in listed.locals {
                text += "-P \(name) -z \(local.address)\n"
            }
            for server in listed.servers {
                let endpoint = names.endpoint(
                    server.address, server.family, port: server.port,
                    transport: parts.transport(listed.service))
                text += "-a \(name) -r \(endpoint) \(method(server)) -w \(server.weight)"
                text += "\(tunnel(server))\n"
            }
        }
        return text
    }

    private static func name(_ service: ServiceRecord, _ names: AddressNames) -> String {
        switch service.identity {
        case .mark(let mark):
            return "-f \(Int32(bitPattern: mark))\(service.family == .v6 ? " -6" : "")"
        case .endpoint(let number, let address, let port):
            let transport = UInt8(exactly: number).map(TransportProtocol.init(rawValue:))
            let option =
                switch transport {
                case .udp?: "-u"
                case .sctp?: "--sctp-service"
                default: "-t"
                }
            let endpoint = names.endpoint(
                address, service.family, port: port, transport: transport)
            return "\(option) \(endpoint)"
        }
    }

    private static func options(_ service: ServiceRecord, _ parts: ServiceText) -> String {
        var text = ""
        if service.flags.contains(.persistent) {
            text += " -p \(service.timeoutSeconds)"
            if let mask = parts.mask(service) { text += " -M \(mask)" }
        }
        if let engine = service.persistenceEngine { text += " --pe \(engine)" }
        if service.flags.contains(.onePacket) { text += " -o" }
        if let flags = SchedulerFlagNames.text(service.flags, scheduler: service.scheduler) {
            text += " -b \(flags)"
        }
        if let fullNAT = service.fullNAT { text += fullNAT.words("--") }
        return text
    }

    private static func method(_ server: DestinationRecord) -> String {
        switch server.method {
        case 0: server.isFullNAT ? "--fullnat" : "-m"
        case 2: "-i"
        default: "-g"
        }
    }

    private static func tunnel(_ server: DestinationRecord) -> String {
        guard server.method == UInt32(ForwardingMethod.tunnel.rawValue) else { return "" }
        let sum = server.tunnelFlags & 1 != 0 ? " --tun-csum" : nil
        switch server.tunnelType {
        case 1:
            let remote = server.tunnelFlags & 2 != 0 ? " --tun-remcsum" : " --tun-nocsum"
            return " --tun-type gue --tun-port \(server.tunnelPort)\(sum ?? remote)"
        case 2: return " --tun-type gre\(sum ?? " --tun-nocsum")"
        default: return " --tun-type ipip"
        }
    }
}

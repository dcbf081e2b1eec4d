package import LVS

// Between the records of the wire and the model of the engine. The wire can say more than the
// model holds (protocol numbers above 255, IPv4-mapped addresses as IPv6, methods above 3); such a
// thing cannot be configured, so it is refused where it would be added and not found elsewhere.

extension ServiceRecord {
    /// The key of the service; nil when no service can have it.
    package var key: ServiceKey? {
        switch identity {
        case .mark(let mark):
            return .mark(mark, family)
        case .endpoint(let transport, let address, let port):
            guard address.family == family, let number = UInt8(exactly: transport) else {
                return nil
            }
            return .address(TransportProtocol(rawValue: number), address, port: port)
        }
    }

    /// The service as configured; flags the request does not speak about stay those of `old`.
    func service(editing old: VirtualService?) throws(Refusal) -> VirtualService {
        guard let key else {
            throw Refusal(
                .invalid, "a service needs a protocol below 256 and, for IPv4, an IPv4 address")
        }
        let kept = (old?.flags.rawValue ?? 0) & ~flagMask
        var merged = ServiceFlags(rawValue: kept | flags.rawValue & flagMask)
        merged.remove(.hashed)
        return VirtualService(
            key: key, scheduler: scheduler, flags: merged,
            persistenceTimeoutSeconds: timeoutSeconds, netmask: netmask,
            persistenceEngine: persistenceEngine,
            fullNAT: fullNAT ?? old?.fullNAT ?? FullNATOptions.none)
    }

    /// The record of a configured service; listings show every service as hashed.
    package init(
        _ service: VirtualService, locals: Int = 0, _ statistics: StatisticsRecord
    ) {
        let identity: Identity =
            switch service.key {
            case .mark(let mark, _): .mark(mark)
            case .address(let transport, let address, let port):
                .endpoint(transport: UInt16(transport.rawValue), address, port: port)
            }
        self.init(
            family: service.key.family, identity: identity, scheduler: service.scheduler,
            flags: service.flags.union(.hashed),
            timeoutSeconds: service.persistenceTimeoutSeconds, netmask: service.netmask,
            persistenceEngine: service.persistenceEngine,
            fullNAT: service.fullNAT == FullNATOptions.none ? nil : service.fullNAT,
            localCount: UInt32(clamping: locals), statistics: statistics)
    }
}

extension DestinationRecord {
    /// The real server as configured.
    func server() throws(Refusal) -> RealServer {
        guard address.family == family else {
            throw Refusal(.invalid, "an IPv4-mapped address is no real server; give the IPv4 one")
        }
        // FULLNAT has no number of its own on the wire.
        guard var chosen = UInt8(exactly: method).flatMap(ForwardingMethod.init),
            chosen != .fullNAT
        else {
            throw Refusal(.invalid, "forwarding method \(method) is unknown; 0 to 3 are accepted")
        }
        if isFullNAT {
            guard chosen == .masquerading else {
                throw Refusal(.invalid, "FULLNAT goes with forwarding method 0, not \(method)")
            }
            chosen = .fullNAT
        }
        let tunnel: TunnelKind
        switch tunnelType {
        case 0: tunnel = .ipip
        case 1: tunnel = .gue(port: tunnelPort, flags: tunnelFlags)
        case 2: tunnel = .gre(flags: tunnelFlags)
        default:
            throw Refusal(
                .notSupported, "tunnel type \(tunnelType) is unknown; 0 to 2 are accepted")
        }
        return RealServer(
            address: address, port: port, method: chosen, weight: weight,
            upperThreshold: upperThreshold, lowerThreshold: lowerThreshold, tunnel: tunnel)
    }

    /// The record of a configured real server.
    package init(_ server: RealServer) {
        let isFullNAT = server.method == .fullNAT
        let method = isFullNAT ? ForwardingMethod.masquerading : server.method
        self.init(
            family: server.address.family, address: server.address, port: server.port,
            method: UInt32(method.rawValue), weight: server.weight,
            upperThreshold: server.upperThreshold, lowerThreshold: server.lowerThreshold,
            fullNAT: isFullNAT ? true : nil)
        switch server.tunnel {
        case .ipip:
            break
        case .gue(let port, let flags):
            tunnelType = 1
            tunnelPort = port
            tunnelFlags = flags
        case .gre(let flags):
            tunnelType = 2
            tunnelFlags = flags
        }
    }
}

extension Refusal {
    /// The error number the kernel has for a refused command (ipvs-semantics 10.2).
    ///
    /// Labelled, since some cases of the two types have the same names.
    init(of refusal: CommandRefusal) {
        switch refusal {
        case .serviceExists, .destinationExists: self.init(.exists)
        case .localAddressExists(let address): self.init(.exists, address.description)
        case .noSuchService: self.init(.noSuchService)
        case .noSuchDestination: self.init(.noSuchEntry)
        case .noSuchLocalAddress(let address): self.init(.noSuchEntry, address.description)
        case .schedulerNotFound(let name): self.init(.noSuchEntry, "'\(name)' is not known")
        case .outOfRange: self.init(.outOfRange)
        case .invalid(let text): self.init(.invalid, text)
        case .familyNotSupported: self.init(.familyNotSupported)
        case .notSupported(let text): self.init(.notSupported, text)
        case .outOfMemory(let text): self.init(.outOfMemory, text)
        }
    }
}

/// Runs an engine command and turns its refusal into the answer's error number.
func command<Value>(
    _ body: () throws(CommandRefusal) -> Value
) throws(Refusal) -> Value {
    do throws(CommandRefusal) {
        return try body()
    } catch {
        throw Refusal(of: error)
    }
}

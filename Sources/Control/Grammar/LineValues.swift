internal import LVS

/// What the options of one line say, with the defaults of ipvsadm-cli section 2.
struct LineValues {
    var command: Command
    var seen = OptionsSeen()

    var service = Service()
    var server = Server()
    var daemon = Daemon()
    /// TCP, TCP after FIN, UDP; seconds, 0 keeps the present value.
    var timeouts: [UInt32] = []
    /// The local addresses of the line.
    var locals: LocalRange?

    /// The virtual service of the line.
    struct Service {
        var transport: TransportProtocol?
        var address = IPAddress.anyV4
        var family = AddressFamily.v4
        var port: UInt16 = 0
        var mark: UInt32 = 0
        var isMapped = false
        var scheduler = "wlc"
        var schedulerFlagsWord: String?
        var flags: ServiceFlags = []
        var persistenceSeconds: UInt32 = 0
        var netmask = UInt32.max
        var engine: String?
        var fullNAT = FullNATOptions.none

        var isMark: Bool { mark != 0 }

        var key: ServiceKey {
            isMark
                ? .mark(mark, family) : .address(transport ?? .tcp, address, port: port)
        }

        var virtualService: VirtualService {
            VirtualService(
                key: key, scheduler: scheduler, flags: flags,
                persistenceTimeoutSeconds: persistenceSeconds, netmask: netmask,
                persistenceEngine: engine, fullNAT: fullNAT)
        }
    }

    /// The real server of the line.
    struct Server {
        var address = IPAddress.anyV4
        var family = AddressFamily.v4
        var port: UInt16 = 0
        var isMapped = false
        var method = ForwardingMethod.directRouting
        var weight: Int32 = 1
        var upperThreshold: UInt32 = 0
        var lowerThreshold: UInt32 = 0
        var tunnelType = TunnelType.ipip
        var tunnelPort: UInt16 = 0
        /// Bit 1 checksum, bit 2 remote checksum (ipvs-semantics 10.1).
        var tunnelFlags: UInt16 = 0

        enum TunnelType: String { case ipip, gue, gre }

        var realServer: RealServer {
            let tunnel: TunnelKind =
                switch tunnelType {
                case .ipip: .ipip
                case .gue: .gue(port: tunnelPort, flags: tunnelFlags)
                case .gre: .gre(flags: tunnelFlags)
                }
            return RealServer(
                address: address, port: port, method: method, weight: weight,
                upperThreshold: upperThreshold, lowerThreshold: lowerThreshold, tunnel: tunnel)
        }
    }

    /// The synchronisation daemon of the line; what is 0 or nil was not given.
    struct Daemon {
        var isMaster = true
        var interface: String?
        var syncID: UInt32 = 0
        var group: (address: IPAddress, family: AddressFamily)?
        var port: UInt16 = 0
        var ttl: UInt8 = 0
        var maximumLength: UInt16 = 0
    }

    func has(_ option: CommandOption) -> Bool { seen.contains(option) }
}

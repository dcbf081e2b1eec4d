internal import LVS
internal import Posix

/// Tries schedulers side by side on the same connections.
///
/// Nothing of a director is imitated: frames are made and go through the engine, one director for each
/// scheduler, on a clock of their own. Servers get their packets by direct routing, so that the
/// director sees what clients send, as it does live, and the answers of nobody.
package enum Simulator {
    /// Runs a load over all its schedulers; `begun` is told each name before its run.
    package static func run(
        _ load: SimulatedLoad, begun: (String) -> Void = { _ in }
    ) throws(SimulatedLoad.Mistake) -> SimulationResult {
        try load.check()
        var rows: [SimulationResult.Row] = []
        for name in load.schedulers {
            begun(name)
            rows.append(try run(load, name))
        }
        return SimulationResult(load: load, rows: rows)
    }

    private static func run(
        _ load: SimulatedLoad, _ scheduler: String
    ) throws(SimulatedLoad.Mistake) -> SimulationResult.Row {
        do throws(SimulatedDirector.Trouble) {
            let director = try SimulatedDirector(load, scheduler)
            let simulation = Simulation(load, director)
            // The director tells it what becomes of packets, and does not keep it.
            defer { withExtendedLifetime(simulation) {} }
            return try simulation.play()
        } catch {
            switch error {
            case .system(let error):
                throw SimulatedLoad.Mistake(description: "no memory for a director: \(error)")
            case .refused(let refusal):
                return SimulationResult.Row(scheduler: scheduler, refusal: "\(refusal)")
            }
        }
    }
}

/// A director in memory with one virtual service.
struct SimulatedDirector {
    /// What keeps a simulation from being made.
    enum Trouble: Error {
        case system(SystemError)
        /// The director takes no such service or server.
        case refused(CommandRefusal)
    }

    /// The virtual address, of the clients' family; both are of documentation (RFC 5737, RFC 3849).
    let virtual: IPAddress
    static let virtualPort: UInt16 = 80
    /// Made-up clients are the addresses of 10.0.0.0/8 from 10.0.0.1 on, or end in those.
    private static let firstClient: UInt32 = 0x0a00_0001
    /// Servers are those of 172.16.0.0/12 from 172.16.0.1 on, or end in those.
    private static let firstServer: UInt32 = 0xac10_0001
    static let port: PortIndex = 0

    let scheduler: String
    let replay: Replay
    private let key: ServiceKey
    private let family: AddressFamily
    private let clients: [IPAddress]

    init(_ load: SimulatedLoad, _ scheduler: String) throws(Trouble) {
        self.scheduler = scheduler
        clients = load.captured?.clients ?? []
        let family = load.captured?.family ?? .v4
        self.family = family
        virtual = Self.address(0xc000_0201, family)
        key = .address(.tcp, virtual, port: Self.virtualPort)
        let isPersistent = load.persistenceSeconds > 0
        let service = VirtualService(
            key: key, scheduler: scheduler, flags: isPersistent ? .persistent : [],
            persistenceTimeoutSeconds: load.persistenceSeconds)
        let addresses = (0...load.weights.count).map { Self.server($0, family) }
        var options = Replay.Options()
        // Room for all there will ever be, and a template for each client.
        let most = load.mostLikely
        let templates = isPersistent ? min(load.clientCount, Int(most)) : 0
        options.connections = min(
            8_000_000, Int(most) + templates + load.measuredBursts * Burst.capacity + 4096)
        options.seed = load.seed
        let network = Self.network(service, servers: addresses)
        do throws(SystemError) {
            replay = try Replay(network, options)
        } catch {
            throw .system(error)
        }
        try command { () throws(CommandRefusal) in try replay.director.add(service) }
        for (number, weight) in load.weights.enumerated() { try add(number, weight: weight) }
    }

    /// Servers on the one link there is, and clients behind a gateway.
    private static func network(
        _ service: VirtualService, servers: [IPAddress]
    ) -> ReplayNetwork {
        do throws(NetworkSheet.Mistake) {
            return try ReplayNetwork(
                NetworkSheet(), names: ["sim"], services: [service], servers: servers)
        } catch {
            preconditionFailure("a sheet that says nothing has no mistake: \(error)")
        }
    }

    /// Adds the server of a number.
    func add(_ number: Int, weight: Int32) throws(Trouble) {
        let address = Self.server(number, family)
        let server = RealServer(
            address: address, port: Self.virtualPort, method: .directRouting, weight: weight)
        try command { () throws(CommandRefusal) in try replay.director.add(server, to: key) }
        // Its first packet does not have to wait for somebody to answer.
        let neighbour = Neighbour(port: Self.port, address: address)
        replay.director.setNeighbour(neighbour, replay.network.hardware(of: neighbour))
    }

    func remove(_ number: Int) throws(Trouble) {
        try command { () throws(CommandRefusal) in
            try replay.director.delete(Self.server(number, family), port: Self.virtualPort, of: key)
        }
    }

    private func command(_ body: () throws(CommandRefusal) -> Void) throws(Trouble) {
        do throws(CommandRefusal) {
            try body()
        } catch {
            throw .refused(error)
        }
    }

    /// The address of a client by its number: one of the capture's, or made up.
    func client(_ number: UInt32) -> IPAddress {
        Int(number) < clients.count
            ? clients[Int(number)] : Self.address(Self.firstClient + number, family)
    }

    private static func server(_ number: Int, _ family: AddressFamily) -> IPAddress {
        address(firstServer + UInt32(number), family)
    }

    /// An IPv4 address by its value, or the IPv6 address that ends in it.
    private static func address(_ value: UInt32, _ family: AddressFamily) -> IPAddress {
        family == .v4
            ? IPAddress(v4: value)
            : IPAddress(high: 0x2001_0db8_0000_0000, low: UInt64(value))
    }

    /// The number of the server that a frame goes to.
    static func server(of frame: Frame) -> Int? {
        guard let receiver = ReplayNetwork.madeUpReceiver(of: frame), receiver >= firstServer else {
            return nil
        }
        return Int(receiver - firstServer)
    }
}

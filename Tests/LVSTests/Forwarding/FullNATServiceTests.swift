import LVS
import TestKit
import Testing

/// What services are with FULLNAT is what they are with NAT: who gets a connection does not depend on
/// what the server sees of the client.
@Suite struct FullNATServiceTests {
    private static let servers = (0..<3).map { IPAddress(v4: 0x0a02_000b + UInt32($0)) }

    /// The last bytes of the servers that connections go to, in turn; 0 for a connection that got none.
    private func choices(
        _ method: ForwardingMethod, scheduler: String, key: ServiceKey, mark: UInt32 = 0,
        _ change: (inout VirtualService) -> Void = { _ in },
        _ changeServer: (inout RealServer) -> Void = { _ in }
    ) throws -> [UInt8] {
        let rig = ForwardingRig(around: .twoLegged())
        let director = rig.rig.director
        var service = VirtualService(key: key, scheduler: scheduler)
        change(&service)
        try director.add(service)
        if method == .fullNAT { try director.addLocals([FullNATRig.local], to: key) }
        for (index, address) in Self.servers.enumerated() {
            var server = RealServer(
                address: address, port: mark == 0 ? 80 : 0, method: method,
                weight: Int32(index) + 1)
            changeServer(&server)
            try director.add(server, to: key)
        }
        return (0..<40).map { index in
            let client = IPAddress(v4: 0xc633_6401 + UInt32(index % 7))
            let frame = DirectorRig.client(client).tcp(
                from: 4000 + UInt16(index), to: 80, flags: 2)
            let sent = rig.send(frame) { $0.mark = mark }.sent
            return sent.first.flatMap { $0.be32(30) >> 8 == 0x0a0200 ? $0[33] : nil } ?? 0
        }
    }

    private static let web = ServiceKey.address(.tcp, ForwardingRig.virtual, port: 80)

    @Test(arguments: SchedulerRegistry.names)
    func `Every scheduler chooses as with NAT`(_ scheduler: String) throws {
        let full = try choices(.fullNAT, scheduler: scheduler, key: Self.web)
        #expect(try full == choices(.masquerading, scheduler: scheduler, key: Self.web))
        #expect(full[0] != 0)
    }

    @Test func `Persistence keeps a client on its server`() throws {
        let persist = { (service: inout VirtualService) in
            service.flags.insert(.persistent)
            service.persistenceTimeoutSeconds = 60
        }
        let full = try choices(.fullNAT, scheduler: "rr", key: Self.web, persist)
        #expect(try full == choices(.masquerading, scheduler: "rr", key: Self.web, persist))
        for index in 7..<full.count {
            #expect(full[index] == full[index - 7], "connection \(index)")
        }
    }

    @Test func `A service by mark, and thresholds, do as with NAT`() throws {
        let key = ServiceKey.mark(7, .v4)
        let marked = try choices(.fullNAT, scheduler: "wrr", key: key, mark: 7)
        #expect(try marked == choices(.masquerading, scheduler: "wrr", key: key, mark: 7))
        #expect(!marked.contains(0))
        let limit = { (server: inout RealServer) in server.upperThreshold = 4 }
        let full = try choices(.fullNAT, scheduler: "rr", key: Self.web, { _ in }, limit)
        #expect(try full == choices(.masquerading, scheduler: "rr", key: Self.web, { _ in }, limit))
        #expect(full.count { $0 != 0 } == 12, "three servers take four connections each")
    }
}

import LVS
import TestKit
import Testing

@Suite struct NextHopTests {
    @Test func `The longest matching prefix wins for random routes and addresses`() {
        var random = SeededGenerator(seed: 21)
        for _ in 0..<20 {
            let routes = (0..<60).map { index in
                Route(
                    prefix: IPAddress(v4: UInt32(truncatingIfNeeded: random.next())),
                    prefixLength: UInt8(random.next() % 33),
                    kind: .forward(port: 0, gateway: IPAddress(v4: 0xc000_0200 + UInt32(index))),
                    metric: UInt32(index))
            }.map { route in
                var route = route
                let bits = UInt32(route.prefixLength)
                route.prefix = IPAddress(
                    v4: bits == 0 ? 0 : route.prefix.v4 & (UInt32.max << (32 - bits)))
                return route
            }
            let keeper = NextHopKeeper(
                table: NextHopTable(), quiescence: QuiescentState(workers: 1))
            keeper.setPorts([
                Port(index: 0, name: "p", hardware: HardwareAddress(value: 1), mtu: 1500)
            ])
            keeper.setRoutes(routes)
            for turn in 0..<200 {
                let word = UInt32(truncatingIfNeeded: random.next())
                let near = routes[turn % routes.count].prefix.v4 ^ (word & 0xff)
                let address = IPAddress(v4: turn & 1 == 0 ? word : near)
                let hop = keeper.table[keeper.table.resolve(address)]
                guard case .forward(_, let gateway)? = keeper.route(to: address)?.kind else {
                    #expect(hop.word.kind == .noRoute)
                    continue
                }
                #expect(hop.address == gateway)
            }
        }
    }

    @Test func `A neighbour is wanted once, and its address reaches the slot`() {
        let keeper = NextHopKeeper(table: NextHopTable(), quiescence: QuiescentState(workers: 1))
        keeper.setPorts([
            Port(index: 2, name: "p", hardware: HardwareAddress(value: 0xaabb), mtu: 1400)
        ])
        keeper.setRoutes([
            Route(
                prefix: IPAddress(v4: 0x0a00_0000), prefixLength: 8,
                kind: .forward(port: 2, gateway: nil), preferredSource: IPAddress(v4: 0x0a00_0001),
                mtu: 1300)
        ])
        let address = IPAddress(v4: 0x0a00_0005)
        let hop = keeper.table[keeper.table.resolve(address)]
        #expect(hop.word.kind == .unresolved && hop.mtu == 1300)
        #expect(hop.preferredSource == IPAddress(v4: 0x0a00_0001))
        let neighbour = Neighbour(port: 2, address: address)
        #expect(keeper.takeWanted() == [neighbour])
        #expect(keeper.takeWanted() == [])
        #expect(keeper.unresolved() == [neighbour])
        keeper.setNeighbour(neighbour, HardwareAddress(value: 0x1234))
        #expect(hop.word.isResolved && hop.word.hardware.value == 0x1234 && hop.word.port == 2)
        #expect(keeper.unresolved() == [])
        keeper.setNeighbour(neighbour, nil)
        #expect(hop.word.kind == .unresolved)
        #expect(keeper.takeWanted() == [neighbour])
    }

    @Test func `An IPv6 next hop knows its neighbour, its MTU and the source to use`() {
        let keeper = NextHopKeeper(table: NextHopTable(), quiescence: QuiescentState(workers: 1))
        keeper.setPorts([
            Port(index: 2, name: "p", hardware: HardwareAddress(value: 0xaabb), mtu: 1400)
        ])
        let router = IPAddress(high: 0xfe80 << 48, low: 1)
        let source = IPAddress(high: 0x2001_0db8_0001_0000, low: 1)
        keeper.setRoutes([
            Route(
                prefix: .anyV6, prefixLength: 0, kind: .forward(port: 2, gateway: router),
                preferredSource: source)
        ])
        let hop = keeper.table[
            keeper.table.resolve(IPAddress(high: 0x2001_0db8_0099_0000, low: 5))]
        #expect(hop.address == router && hop.port == 2 && hop.mtu == 1400)
        #expect(hop.preferredSource == source)
        let neighbour = Neighbour(port: 2, address: router)
        #expect(keeper.takeWanted() == [neighbour])
        keeper.setNeighbour(neighbour, HardwareAddress(value: 0x1234))
        #expect(hop.word.isResolved && hop.word.hardware.value == 0x1234 && hop.word.port == 2)
    }

    @Test func `A hardware address known before anyone asks is there at once`() {
        let keeper = NextHopKeeper(table: NextHopTable(), quiescence: QuiescentState(workers: 1))
        keeper.setPorts([
            Port(index: 0, name: "p", hardware: HardwareAddress(value: 1), mtu: 1500)
        ])
        let address = IPAddress(v4: 0x0a00_0005)
        keeper.setNeighbour(Neighbour(port: 0, address: address), HardwareAddress(value: 0x77))
        keeper.setRoutes([
            Route(
                prefix: IPAddress(v4: 0x0a00_0000), prefixLength: 8,
                kind: .forward(port: 0, gateway: nil), preferredSource: IPAddress(v4: 0x0a00_0001))
        ])
        let hop = keeper.table[keeper.table.resolve(address)]
        #expect(hop.word.isResolved && hop.word.hardware.value == 0x77)
    }

    @Test func `Frames wait for an unresolved server, leave when it resolves, and not for ever`()
        throws
    {
        let rig = try ForwardingRig(method: .directRouting)
        let server = Neighbour(port: 1, address: ForwardingRig.server)
        let director = rig.rig.director
        director.setNeighbour(server, nil)
        let first = rig.send(rig.builder.tcp(from: 4000, to: 80, flags: 2))
        #expect(first.verdict == .consumed && first.sent.isEmpty)
        #expect(director.workers[0].hasParkedFrames)
        director.setNeighbour(server, HardwareAddress(value: 0x0200_0000_0abc))
        let second = rig.send(rig.builder.tcp(from: 4001, to: 80, flags: 2))
        #expect(second.sent.count == 2)
        #expect(second.sent.allSatisfy { $0.be32(2) == 0x0000_0abc })
        #expect(!director.workers[0].hasParkedFrames)
        director.setNeighbour(server, nil)
        for port in UInt16(5000)..<5020 {
            _ = rig.send(rig.builder.tcp(from: port, to: 80, flags: 2))
        }
        #expect(director.workers[0].tally.dropped(.neighbourQueueFull) == 12)
        rig.rig.advance(milliseconds: 4000)
        _ = rig.send(rig.builder.udp(from: 1, to: 2))
        #expect(director.workers[0].tally.dropped(.noNeighbour) == 8)
        #expect(!director.workers[0].hasParkedFrames)
    }

    @Test func `Established replies follow when the routes change`() throws {
        let rig = try ForwardingRig(method: .masquerading)
        _ = rig.send(rig.builder.tcp(from: 4000, to: 80, flags: 2))
        let reply = rig.reply.tcp(from: 8080, to: 4000, flags: 0x12)
        #expect(rig.send(reply, on: 1).verdict == .send(0))
        let director = rig.rig.director
        let gateway = Neighbour(port: 1, address: IPAddress(v4: 0x0a02_000c))
        director.setNeighbour(gateway, HardwareAddress(value: 0x0200_0000_0ddd))
        director.setRoutes([
            Route(
                prefix: .anyV4, prefixLength: 0,
                kind: .forward(port: 1, gateway: gateway.address)),
            Route(
                prefix: IPAddress(v4: 0x0a02_0000), prefixLength: 24,
                kind: .forward(port: 1, gateway: nil)),
        ])
        let outcome = rig.send(reply, on: 1)
        #expect(outcome.verdict == .send(1))
        #expect(outcome.sent.first?.be32(2) == 0x0000_0ddd)
    }
}

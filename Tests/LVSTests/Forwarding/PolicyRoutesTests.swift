import LVS
import TestKit
import Testing

/// Rules of the host for addresses, as they reach workers.
@Suite struct PolicyRoutesTests {
    private static let address = IPAddress(v4: 0x0a00_0005)

    private static func route(
        _ prefix: UInt32, _ length: UInt8, by gateway: UInt32?, rank: Int,
        source: AddressPrefix? = nil
    ) -> Route {
        Route(
            prefix: IPAddress(v4: prefix), prefixLength: length,
            kind: gateway.map { .forward(port: 0, gateway: IPAddress(v4: $0)) } ?? .proceed,
            rank: rank, source: source)
    }

    private static func keeper(_ routes: [Route]) -> NextHopKeeper {
        let keeper = NextHopKeeper(table: NextHopTable(), quiescence: QuiescentState(workers: 1))
        keeper.setPorts([
            Port(index: 0, name: "p", hardware: HardwareAddress(value: 1), mtu: 1500)
        ])
        keeper.setRoutes(routes)
        return keeper
    }

    /// The gateway to the address; nil without a route.
    private static func gateway(
        _ routes: [Route], from source: UInt32? = nil
    ) -> UInt32? {
        let table = keeper(routes).table
        let hop = table[table.resolve(address, from: source.map { IPAddress(v4: $0) })]
        return hop.word.kind == .noRoute ? nil : hop.address.v4
    }

    @Test func anEarlierRuleDecidesHoweverShortItsPrefixIs() {
        let routes = [
            Self.route(0x0a00_0000, 24, by: 2, rank: 1), Self.route(0, 0, by: 1, rank: 0),
        ]
        #expect(Self.gateway(routes) == 1)
        #expect(Self.keeper(routes).route(to: Self.address)?.rank == 0)
    }

    @Test func aLaterRuleDecidesWhereEarlierOnesSayNothing() {
        let routes = [
            Self.route(0x0b00_0000, 8, by: 1, rank: 0), Self.route(0x0a00_0000, 8, by: 2, rank: 1),
        ]
        #expect(Self.gateway(routes) == 2)
    }

    @Test func throwHandsOnToTheNextRule() {
        let routes = [
            Self.route(0, 0, by: 1, rank: 0), Self.route(0x0a00_0000, 24, by: nil, rank: 0),
            Self.route(0, 0, by: 2, rank: 1),
        ]
        #expect(Self.gateway(routes) == 2)
        #expect(Self.gateway(Array(routes.dropLast())) == nil)
        #expect(Self.keeper(Array(routes.dropLast())).route(to: Self.address) == nil)
    }

    @Test func aRefusalEndsTheSearch() {
        let refusal = Route(prefix: .anyV4, prefixLength: 0, kind: .refused, rank: 0)
        #expect(Self.gateway([refusal, Self.route(0, 0, by: 2, rank: 1)]) == nil)
    }

    @Test(arguments: [
        (nil, 9), (0x0101_0101, 1), (0x0101_0202, 2), (0x0102_0304, 3), (0x0909_0909, 9),
    ])
    func rulesForSourcesAreMetByTheirPacketsOnly(source: UInt32?, gateway: UInt32) {
        func from(_ address: UInt32, _ length: UInt8) -> AddressPrefix {
            AddressPrefix(address: IPAddress(v4: address), length: length)
        }
        let routes = [
            Self.route(0, 0, by: 1, rank: 0, source: from(0x0101_0101, 32)),
            Self.route(0, 0, by: 2, rank: 1, source: from(0x0101_0000, 16)),
            Self.route(0, 0, by: 3, rank: 2, source: from(0x0100_0000, 8)),
            Self.route(0, 0, by: 9, rank: 3),
        ]
        #expect(Self.gateway(routes, from: source) == gateway)
    }

    @Test func aSourceKeepsTheRoutesOfAllWhereItsOwnSayNothing() {
        let own = AddressPrefix(address: IPAddress(v4: 0x0101_0101), length: 32)
        let routes = [
            Self.route(0x0b00_0000, 8, by: 1, rank: 0, source: own),
            Self.route(0, 0, by: 9, rank: 1),
        ]
        #expect(Self.gateway(routes, from: 0x0101_0101) == 9)
    }

    /// Against a plain search, rule by rule.
    @Test func randomRulesAndRoutesAgreeWithASearchRuleByRule() {
        var random = SeededGenerator(seed: 6)
        for _ in 0..<40 {
            let routes = (0..<40).map { index in
                let length = UInt8(random.next() % 9)
                let prefix = length == 0 ? 0 : UInt32(random.next() & 0xff) << 24
                let mask = length == 0 ? 0 : UInt32.max << (32 - UInt32(length))
                // No two alike: which of equals wins is not the point.
                var route = Self.route(
                    prefix & mask, length,
                    by: random.next() % 4 == 0 ? nil : 0x0100_0000 + UInt32(index),
                    rank: Int(random.next() % 4))
                route.metric = UInt32(index)
                return route
            }
            let keeper = Self.keeper(routes)
            for _ in 0..<50 {
                let address = IPAddress(v4: UInt32(truncatingIfNeeded: random.next()))
                let hop = keeper.table[keeper.table.resolve(address)]
                guard case .forward(_, let gateway)? = keeper.route(to: address)?.kind else {
                    #expect(hop.word.kind == .noRoute)
                    continue
                }
                #expect(hop.address == gateway)
            }
        }
    }

    @Test(arguments: [
        (UInt32(0), UInt8(0), UInt32(0xffff_ffff), true), (0x0a00_0000, 8, 0x0aff_0001, true),
        (0x0a00_0000, 8, 0x0b00_0000, false), (0x0a00_0005, 32, 0x0a00_0005, true),
        (0x0a00_0005, 32, 0x0a00_0004, false),
    ])
    func prefixesHoldWhatBeginsAlike(prefix: UInt32, length: UInt8, address: UInt32, holds: Bool) {
        let prefix = AddressPrefix(address: IPAddress(v4: prefix), length: length)
        #expect(prefix.contains(IPAddress(v4: address)) == holds)
        #expect(!prefix.contains(IPAddress(high: 0xfd00 << 48, low: 1)))
    }

    @Test func prefixesOfIPv6HoldWhatBeginsAlike() {
        let net = IPAddress(high: 0x2001_0db8_0000_0001, low: 0)
        let near = IPAddress(high: 0x2001_0db8_0000_0001, low: 77)
        let far = IPAddress(high: 0x2001_0db8_0000_0002, low: 77)
        for (length, hasNear, hasFar) in [(0, true, true), (62, true, true), (64, true, false)] {
            let prefix = AddressPrefix(address: net, length: UInt8(length))
            #expect(prefix.contains(near) == hasNear)
            #expect(prefix.contains(far) == hasFar)
        }
        #expect(!AddressPrefix(address: net, length: 128).contains(near))
    }
}

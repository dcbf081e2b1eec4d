import LVS
import TestKit
import Testing

@Suite struct DestinationHashingTests {
    /// Buckets of 10.8.0.1 to 10.8.0.5: 90, 187, 29, 127, 225.
    @Test(arguments: [
        // The address decides, again and again; bucket i belongs to server i of the list.
        "+A=1 +B=1 +C=1 ?C@1 ?C@1 ?B@2 ?A@3 ?B@4 ?C@5",
        // Weights count as 0 or not, and nobody stands in for a server of weight 0.
        "+A=9 +B=1 +C=5 ?C@1 C=0 ?-@1 ?B@2 C=1 ?C@1",
        // The table follows servers that come and go.
        "+A=1 +B=1 +C=1 ?B@2 -B ?C@1 ?A@2 ?A@4 +B=1 ?B@1 ?C@2",
        "+A=0 ?-",
        "?-",
    ])
    func picks(_ story: String) throws {
        #expect(try SchedulerStory.play("dh", story).isEmpty)
    }

    /// Vectors of ipvs-semantics C: with 256 servers the bucket is the position.
    @Test(arguments: [
        (0x0a01_0002, 15), (0x0a01_0064, 126), (0xac10_0001, 122), (0xc000_0201, 50),
        (0xcb00_7107, 124),
    ])
    func addressHasItsBucket(_ address: UInt32, _ bucket: Int) throws {
        let bench = try SchedulerBench("dh")
        for number in (0..<256).reversed() {
            bench.add("\(number)", HashVectors.server(number))
        }
        let request = HashVectors.request(client: 1, virtual: address, port: 1)
        #expect(bench.pick(request) == "\(bucket)")
    }
}

/// What the tests of hashing schedulers ask for.
enum HashVectors {
    static func server(_ number: Int, weight: Int32 = 1) -> RealServer {
        RealServer(
            address: IPAddress(v4: 0x0a02_0000 + UInt32(number)), port: 80, method: .directRouting,
            weight: weight)
    }

    static func request(
        client: UInt32, virtual: UInt32 = 0x0a01_0064, port: UInt16,
        transport: TransportProtocol = .tcp
    ) -> ScheduleRequest {
        ScheduleRequest(
            transport: transport, client: IPAddress(v4: client), clientPort: port,
            virtual: IPAddress(v4: virtual), virtualPort: 80, now: Instant(nanoseconds: 0),
            random: 0)
    }
}

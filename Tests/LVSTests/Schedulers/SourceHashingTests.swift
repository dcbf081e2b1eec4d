import LVS
import TestKit
import Testing

@Suite struct SourceHashingTests {
    /// Vectors of ipvs-semantics C: address, bucket, bucket with port 6000.
    private static let vectors: [(UInt32, Int, Int)] = [
        (0x0a01_0002, 15, 219), (0x0a01_0064, 126, 74), (0xac10_0001, 122, 70),
        (0xc000_0201, 50, 254), (0xcb00_7107, 124, 72),
    ]

    @Test(arguments: vectors)
    func clientHasItsBucket(_ client: UInt32, _ bucket: Int, _ withPort: Int) throws {
        let bench = try full()
        let request = HashVectors.request(client: client, port: 6000)
        #expect(bench.pick(request) == "\(bucket)")
        bench.take(SchedulerOptions(flags: .schedulerFlag2))
        #expect(bench.pick(request) == "\(withPort)")
        let icmp = HashVectors.request(client: client, port: 6000, transport: .icmp)
        #expect(bench.pick(icmp) == "\(bucket)")
    }

    /// With `sh-fallback` the first probe is bucket 2 * hash, the second the one after it.
    @Test(arguments: vectors)
    func fallbackProbesFromTwiceTheBucket(
        _ client: UInt32, _ bucket: Int, _ withPort: Int
    ) throws {
        let bench = try full()
        let request = HashVectors.request(client: client, port: 6000)
        bench.edit("\(bucket)", HashVectors.server(bucket, weight: 0))
        #expect(bench.pick(request) == nil)
        bench.take(SchedulerOptions(flags: .schedulerFlag1))
        let first = 2 * bucket % 256
        #expect(bench.pick(request) == "\(first)")
        bench.edit("\(first)", HashVectors.server(first, weight: 0))
        #expect(bench.pick(request) == "\(first + 1)")
    }

    /// Rows: servers in the order they are added with their weights, and the first buckets.
    @Test(arguments: [
        ("A=3 B=1 C=2", "CCBAAACCBAAACCBA"),
        ("A=1 B=1 C=1", "CBACBACBACBACBAC"),
        // Weight 0 owns a bucket as well, and connections there are refused.
        ("A=2 B=0", "-AA-AA-AA-AA-AA-"),
        ("A=300 B=1", "BAAAAAAAAAAAAAAA"),
        ("A=0", "----------------"),
        ("", "----------------"),
    ])
    func serversOwnBucketsByWeight(_ servers: String, _ expected: String) throws {
        let bench = try SchedulerStory.bench("sh", servers)
        // For each of the buckets the smallest address that has it.
        let picks = (0..<16).map { bucket in
            let client = (1...UInt32(10_000)).first {
                Int(($0 &* 0x61c8_8647) >> 24) == bucket
            }
            return bench.pick(HashVectors.request(client: client ?? 0, port: 1)) ?? "-"
        }
        #expect(picks.joined() == expected)
    }

    @Test(arguments: [
        "+A=1 ?A -A ?-",
        "+A=0 ?- A=1 ?A",
        "?-",
    ])
    func tableFollowsTheServers(_ story: String) throws {
        #expect(try SchedulerStory.play("sh", story).isEmpty)
    }

    /// 256 servers of weight 1: the bucket is the name.
    private func full() throws -> SchedulerBench {
        let bench = try SchedulerBench("sh")
        for number in (0..<256).reversed() {
            bench.add("\(number)", HashVectors.server(number))
        }
        return bench
    }
}

import Instruments
import LVS
import TestKit
import Testing

/// Words and the packets that they stand for.
@Suite struct PacketFilterTests {
    @Test(arguments: [
        ("", true), ("tcp", true), ("udp", false), ("icmp", false), ("host 198.51.100.7", true),
        ("src 198.51.100.0/24", true), ("dst 198.51.100.0/24", false),
        ("dst host 10.1.0.100", true),
        ("host 2001:db8::1", false), ("port 80", true), ("port 4321", true), ("src port 80", false),
        ("dst port 80", true), ("flags syn", true), ("flags syn,ack", false), ("flags none", true),
        ("tcp and dst port 80 and src 198.51.100.7 flags syn", true),
        ("tcp dst port 81 src 198.51.100.7", false), ("host 0.0.0.0/0", true),
    ])
    func `All words must hold`(words: String, holds: Bool) throws {
        let frame = DirectorRig.client(IPAddress(v4: 0xc633_6407)).tcp(from: 4321, to: 80, flags: 2)
        #expect(try matches(words, frame) == holds)
        #expect(try matches(words, Array(frame.prefix(20))) == words.isEmpty, "a cut packet")
    }

    @Test(arguments: [
        ("udp", true), ("tcp", false), ("icmp", false), ("port 53", true), ("port 54", false),
        ("src 2001:db8::/32", true), ("src 2001:db9::/32", false), ("dst ::/0", true),
        ("host 2001:db8:1::7", true), ("host 2001:db8:1::7/127", true),
        ("host 2001:db8:1::8/127", false), ("host 0.0.0.0/0", false), ("host 1.2.3.4", false),
        ("port 53 port 4321", true), ("port 53 port 99", false), ("flags syn", false),
    ])
    func `The same holds of IPv6`(words: String, holds: Bool) throws {
        let frame = PacketBuilder(
            from: try #require(IPAddress(parsing: "2001:db8:1::7")),
            at: HardwareAddress(value: 0x0200_0a01_00fe),
            to: try #require(IPAddress(parsing: "2001:db8:2::1")),
            at: HardwareAddress(value: 0x0200_0a01_0001)
        ).udp(from: 4321, to: 53)
        #expect(try matches(words, frame) == holds)
    }

    /// What a worker's filter says of a frame, which is the same with a sieve before it.
    private func matches(_ words: String, _ frame: [UInt8]) throws -> Bool {
        let filter = try PacketFilter([words])
        let told = [PacketSieve(), filter.sieve].map { sieve in
            let rig = DirectorRig.twoLegged()
            let desk = rig.director.workers[0].desk
            desk.ask(Narrator.Terms(most: 1, sieve: sieve)) { filter.matches($0) }
            _ = rig.send(frame, on: 0)
            return !desk.takeStories().isEmpty
        }
        #expect(told[0] == told[1])
        return told[0]
    }

    @Test(arguments: [
        ("colour", "\"colour\" is not known"), ("src", "\"src or dst\" has no value"),
        ("host", "\"host\" has no value"), ("src host", "\"host\" has no value"),
        ("host 1.2.3", "\"1.2.3\" is no address"), ("host 1.2.3.4/33", "0 to 32 bits"),
        ("host 2001:db8::/129", "0 to 128 bits"), ("port 65536", "accepted are 0 to 65535"),
        ("flags sin", "is no flag of tcp"), ("flags", "\"flags\" has no value"),
    ])
    func `Other words are refused, and it is said why`(words: String, reason: String) {
        do throws(HypothesisError) {
            _ = try PacketFilter([words])
            Issue.record("\(words) was accepted")
        } catch {
            #expect(error.description.contains(reason), "\(error)")
        }
    }
}

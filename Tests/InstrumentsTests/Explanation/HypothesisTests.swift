import Instruments
import LVS
import TestKit
import Testing

/// Words and the frames they stand for.
@Suite struct HypothesisTests {
    @Test(arguments: [
        (
            "tcp 198.51.100.7:4321 -> 10.1.0.100:80",
            "198.51.100.7>10.1.0.100 ttl 64 id 0000 length 40 TCP 4321>80 S"
        ),
        (
            "tcp 198.51.100.7:4321->10.1.0.100:80 flags ack,psh ttl 3 payload 10",
            "198.51.100.7>10.1.0.100 ttl 3 id 0000 length 50 TCP 4321>80 PA"
        ),
        (
            "udp 198.51.100.7:1 to 10.1.0.100:65535 payload 4",
            "198.51.100.7>10.1.0.100 ttl 64 id 0000 length 32 UDP 1>65535"
        ),
        (
            "sctp 198.51.100.7:1 to 10.1.0.100:7 chunk data",
            "198.51.100.7>10.1.0.100 ttl 64 id 0000 length 52"
        ),
        ("icmp 198.51.100.7 -> 10.1.0.100", "198.51.100.7>10.1.0.100 ttl 64 id 0000 length 28"),
        (
            "tcp [2001:db8::7]:4321 -> [2001:db8::1]:443",
            "2001:db8::7>2001:db8::1 hop limit 64 payload 20 protocol 6 4321>443"
        ),
        (
            "icmp 2001:db8::7 -> 2001:db8::1",
            "2001:db8::7>2001:db8::1 hop limit 64 payload 8 protocol 58 128/0"
        ),
        (
            "udp [2001:db8::7]:53 -> [2001:db8::1]:53 payload 100",
            "2001:db8::7>2001:db8::1 hop limit 64 payload 108 protocol 17 53>53"
        ),
    ])
    func `Words are a frame with right checksums`(words: String, description: String) throws {
        let arrival = try Hypothesis([words]).arrival(at: DirectorRig.twoLegged().director)
        let text = FrameText.describe(arrival.bytes)
        #expect(text.contains(description), "\(text)")
        check(arrival.bytes)
        // Word by word is the same.
        let split = words.split(separator: " ").map(String.init)
        #expect(try Hypothesis(split) == Hypothesis([words]))
    }

    private func check(_ frame: [UInt8]) {
        let (start, number) = frame.transport()
        if !frame.isIPv6 { #expect(frame.onesSum(14..<34) == 0xffff) }
        switch number {
        case 132:
            var packet = Array(frame[start...])
            let found = packet[8..<12].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            for index in 8..<12 { packet[index] = 0 }
            #expect(CRC32C.checksum(of: packet[...]) == found)
        case 1: #expect(frame.onesSum(start..<frame.count) == 0xffff)
        default:
            let sum = frame.onesSum(start..<frame.count, from: UInt32(frame.pseudoHeaderSum()))
            #expect(sum == 0xffff)
        }
    }

    @Test func `Mark and interface come with the frame`() throws {
        let director = DirectorRig.twoLegged().director
        let words = "tcp 10.2.0.11:80 -> 198.51.100.7:4321 flags syn,ack"
        #expect(try Hypothesis([words]).arrival(at: director).port == 1)
        let other = try Hypothesis([words + " in cli mark 0x1F"]).arrival(at: director)
        #expect(other.port == 0 && other.mark == 31)
    }

    @Test(arguments: [
        ("", "no packet is given"),
        ("gre 1.2.3.4:1 -> 1.2.3.5:2", "\"gre\" is no protocol"),
        ("tcp", "the source is missing"),
        ("tcp 1.2.3.4:1", "\"nothing\" stands where -> or to is expected"),
        ("tcp 1.2.3.4:1 -", "the shell took the > of the arrow"),
        ("tcp 1.2.3.4:1 ->", "the destination is missing"),
        ("tcp 1.2.3.4 -> 1.2.3.5:2", "the source \"1.2.3.4\" is not ADDRESS:PORT"),
        ("tcp 1.2.3.4:0 -> 1.2.3.5:2", "a port from 1 to 65535"),
        ("tcp 1.2.3.4:65536 -> 1.2.3.5:2", "a port from 1 to 65535"),
        ("tcp 1.2.3.400:1 -> 1.2.3.5:2", "the source \"1.2.3.400:1\" is not"),
        ("tcp 2001:db8::1:80 -> 1.2.3.5:2", "the source \"2001:db8::1:80\" is not"),
        ("tcp [1.2.3.4]:80 -> [2001:db8::1]:2", "different address families"),
        ("icmp 1.2.3.4:5 -> 1.2.3.5", "icmp has no ports"),
        ("tcp 1.2.3.4:1 -> 1.2.3.5:2 flags", "\"flags\" has no value"),
        ("tcp 1.2.3.4:1 -> 1.2.3.5:2 flags sin", "accepted are none, ack, cwr"),
        ("udp 1.2.3.4:1 -> 1.2.3.5:2 flags syn", "flags are of tcp only"),
        ("tcp 1.2.3.4:1 -> 1.2.3.5:2 chunk init", "chunks are of sctp only"),
        ("sctp 1.2.3.4:1 -> 1.2.3.5:2 chunk x", "\"x\" is no chunk; accepted are abort"),
        ("sctp 1.2.3.4:1 -> 1.2.3.5:2 payload 1", "sctp packets have no payload here"),
        ("tcp 1.2.3.4:1 -> 1.2.3.5:2 mark -1", "accepted are 0 to 4294967295"),
        ("tcp 1.2.3.4:1 -> 1.2.3.5:2 ttl 256", "accepted are 0 to 255"),
        ("tcp 1.2.3.4:1 -> 1.2.3.5:2 payload 8901", "accepted are 0 to 8900 bytes"),
        ("tcp 1.2.3.4:1 -> 1.2.3.5:2 colour red", "\"colour\" is not known"),
        ("tcp 1.2.3.4:1 -> 1.2.3.5:2 in eth9", "accepted are cli, srv"),
    ])
    func `Other words are refused, and it is said why`(words: String, reason: String) {
        let director = DirectorRig.twoLegged().director
        do throws(HypothesisError) {
            _ = try Hypothesis([words]).arrival(at: director)
            Issue.record("\(words) was accepted")
        } catch {
            #expect(error.description.contains(reason), "\(error)")
        }
    }
}

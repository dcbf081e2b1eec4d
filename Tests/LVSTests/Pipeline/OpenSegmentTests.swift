import LVS
import TestKit
import Testing

/// Super-frames whose driver was not told the sender's segments.
@Suite struct OpenSegmentTests {
    /// A super-frame from an interface with jumbo frames, and what the director makes of it.
    private func send(
        _ method: ForwardingMethod, _ transport: TransportProtocol, isOpen: Bool = true
    ) throws -> (verdict: Verdict, sent: [[UInt8]], segment: UInt16) {
        let rig = try ForwardingRig(method: method, transport: transport)
        let payload = [UInt8](repeating: 5, count: 20_000)
        let isTCP = transport == .tcp
        var bytes =
            isTCP
            ? rig.builder.tcp(from: 4000, to: 80, flags: 2, payload: payload)
            : rig.builder.udp(from: 4000, to: 80, payload: payload)
        bytes.set(isTCP ? 50 : 40, be16: bytes.pseudoHeaderSum())
        let outcome = rig.send(bytes) { frame in
            frame.checksum = .partial
            frame.checksumStart = 34
            frame.checksumOffset = isTCP ? 16 : 6
            frame.segmentKind = isTCP ? 1 : 5
            frame.headerLength = isTCP ? 54 : 42
            frame.segmentSize = 9000 - 40
            frame.segmentSizeIsOpen = isOpen
        }
        return (outcome.verdict, outcome.sent, rig.segment)
    }

    @Test(arguments: [ForwardingMethod.masquerading, .directRouting])
    func `Segments are chosen to fit the way`(method: ForwardingMethod) throws {
        let outcome = try send(method, .tcp)
        #expect(outcome.verdict == .send(1))
        #expect(outcome.segment == 1460)
        #expect(outcome.sent.first?.count == 20_054)
    }

    @Test func `In a tunnel they leave room for its header`() throws {
        let outcome = try send(.tunnel, .tcp)
        #expect(outcome.verdict.kind != .drop)
        let longest = outcome.sent.map(\.count).max() ?? 0
        #expect(outcome.sent.count == (20_000 + 1439) / 1440)
        #expect(longest == 1514)
    }

    @Test func `Segments that the sender chose are not changed`() throws {
        let outcome = try send(.masquerading, .tcp, isOpen: false)
        #expect(outcome.verdict == .drop(.tooLongForRoute))
    }

    @Test(arguments: [ForwardingMethod.masquerading, .directRouting, .tunnel])
    func `Datagrams are not cut in the wrong places`(method: ForwardingMethod) throws {
        #expect(try send(method, .udp).verdict == .drop(.segmentsUnknown))
    }
}

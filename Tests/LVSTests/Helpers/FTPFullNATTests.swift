import LVS
import TestKit
import Testing

/// FTP where the server sees a local address: both modes lead to data connections that go through the
/// director.
@Suite struct FTPFullNATTests {
    typealias Segment = FullNATRig.Segment

    /// A control connection that is established; the client's next number is 1001, the server's 5001.
    private func control(_ isPartial: Bool) throws -> FullNATRig {
        let rig = try FullNATRig(port: 21, isPartial: isPartial)
        _ = rig.open()
        #expect(rig.request(Segment(0x10, 1001, 5001)).count == 1)
        return rig
    }

    private func text(_ segment: Segment?) -> String {
        String(decoding: segment?.payload ?? [], as: UTF8.self)
    }

    @Test(arguments: [false, true])
    func `Active: the server is told the local address, and numbers stay right`(
        isPartial: Bool
    ) throws {
        let rig = try control(isPartial)
        let request = Array("PORT 198,51,100,1,19,137\r\n".utf8)
        let sent = rig.request(Segment(0x18, 1001, 5001, request)).first
        // The client's port 5001 is free towards the server, and so kept.
        #expect(text(sent) == "PORT 10,2,0,100,19,137\r\n")
        let gained = UInt32(bitPattern: Int32((sent?.payload.count ?? 0) - request.count))
        let count = UInt32(request.count)
        let back = rig.answer(Segment(0x10, 5001, 1001 &+ count &+ gained))
        #expect(back.map(\.acknowledged) == [1001 + count])
        let next = rig.request(Segment(0x18, 1001 + count, 5001, Array("LIST\r\n".utf8)))
        #expect(next.map(\.sequence) == [1001 &+ count &+ gained])
        // The server opens the data connection to what it was told.
        let opened = rig.answer(Segment(2, 7000), port: 5001, from: 20)
        #expect(opened.map(\.ends) == [[0x0064, 20, 0x6401, 5001]])
        let answer = rig.request(Segment(0x12, 8000, 7001), port: 5001, to: 20)
        #expect(answer.map(\.ends) == [[0x0064, 5001, 0x000b, 20]])
    }

    @Test func `Active by EPRT says the same in its own form`() throws {
        let rig = try control(false)
        let request = Array("EPRT |1|198.51.100.1|5001|\r\n".utf8)
        let sent = rig.request(Segment(0x18, 1001, 5001, request)).first
        #expect(text(sent) == "EPRT |1|10.2.0.100|5001|\r\n")
    }

    @Test func `Passive: the client is told the virtual address and gets a local port`() throws {
        let rig = try control(false)
        #expect(rig.request(Segment(0x18, 1001, 5001, Array("PASV\r\n".utf8))).count == 1)
        let answer = Array("227 Entering Passive Mode (10,2,0,11,156,64)\r\n".utf8)
        let told = rig.answer(Segment(0x18, 5001, 1007, answer)).first
        #expect(text(told) == "227 Entering Passive Mode (10,1,0,100,156,64)\r\n")
        let opened = rig.request(Segment(2, 3000), port: 4001, to: 40000)
        #expect(opened.map(\.ends) == [[0x0064, 4001, 0x000b, 40000]])
        let back = rig.answer(Segment(0x12, 9000, 3001), port: 4001, from: 40000)
        #expect(back.map(\.ends) == [[0x0064, 40000, 0x6401, 4001]])
    }

    @Test func `Data connections give their local ports back`() throws {
        let rig = try control(false)
        let director = rig.forwarding.rig.director
        let request = Array("PORT 198,51,100,1,19,137\r\n".utf8)
        _ = rig.request(Segment(0x18, 1001, 5001, request))
        let key = ServiceKey.address(.tcp, ForwardingRig.virtual, port: 21)
        #expect(try director.locals(of: key).map(\.takenPorts) == [2])
        rig.forwarding.rig.advance(milliseconds: 1_000_000)
        #expect(try director.locals(of: key).map(\.takenPorts) == [0])
    }
}

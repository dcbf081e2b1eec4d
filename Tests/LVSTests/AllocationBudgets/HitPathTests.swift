import CAllocationCounter
import LVS
import TestKit
import Testing

@Suite struct HitPathTests {
    @Test func `Packets of live connections allocate nothing, in both directions`() throws {
        let rig = try ForwardingRig(method: .masquerading)
        let request = rig.builder.tcp(from: 4000, to: 80, flags: 16)
        let reply = rig.reply.tcp(from: 8080, to: 4000, flags: 16)
        _ = rig.send(rig.builder.tcp(from: 4000, to: 80, flags: 2))
        _ = rig.send(reply, on: 1)
        #expect(allocations(rig.rig, request, reply) == 0)
    }

    @Test(arguments: FullNATOptions.ClientAddress.allCases)
    func `With FULLNAT neither, whatever the server is told of the client`(
        address: FullNATOptions.ClientAddress
    ) throws {
        let rig = try FullNATRig { options in
            options.clientAddress = address
            options.startsSequenceAnew = address != .hidden
        }
        _ = rig.open()
        _ = rig.request(FullNATRig.Segment(16, 1001, 5001))
        var builder = rig.forwarding.reply
        builder.destination = FullNATRig.local
        let request = rig.forwarding.builder.tcp(
            from: 4000, to: 80, flags: 16, sequence: 1001, acknowledgement: 5002)
        let reply = builder.tcp(from: 80, to: 4000, flags: 16, sequence: 5001)
        _ = rig.forwarding.send(reply, on: 1)
        #expect(allocations(rig.forwarding.rig, request, reply) == 0)
    }

    @Test func `Nor do packets that go over into the other family`() throws {
        let rig = try FamilyRig()
        rig.open()
        let request = rig.request.tcp(from: 4000, to: 80, flags: 16)
        let reply = rig.reply.tcp(from: 8080, to: 4000, flags: 16)
        #expect(allocations(rig.rig, request, reply) == 0)
    }

    @Test func `Nor do packets whose connections other directors are told of`() throws {
        let rig = try MasterRig(MasterRig.web, ["sync_threshold": "0 1"])
        rig.open()
        let request = DirectorRig.client(MasterRig.client).tcp(from: 4000, to: 80, flags: 16)
        let reply = DirectorRig.server(MasterRig.server, to: MasterRig.client)
            .tcp(from: 8080, to: 4000, flags: 16)
        _ = rig.told()
        #expect(allocations(rig.rig, request, reply) == 0)
        #expect(rig.told().count == 101 * 32, "each request has been told")
    }

    @Test func `Nor those whose call's template is told with each of them`() throws {
        let rig = try MasterRig([
            "-A -u 10.1.0.100:5060 -s rr -p 60 --pe sip",
            "-a -u 10.1.0.100:5060 -r 10.2.0.11:5060 -m",
        ])
        let text = Array("INVITE x\r\nCall-ID: one@a\r\n\r\n".utf8)
        let request = DirectorRig.client(MasterRig.client).udp(
            from: 4000, to: 5060, payload: text)
        let reply = DirectorRig.server(MasterRig.server, to: MasterRig.client)
            .udp(from: 5060, to: 4000, payload: text)
        _ = rig.rig.send(request, on: 0)
        _ = rig.told()
        #expect(allocations(rig.rig, request, reply) == 0)
        #expect(rig.told().count { $0.isTemplate } == 101 * 32)
    }

    /// Allocations of a hundred bursts, half of them requests and half replies, all of which must be
    /// forwarded.
    private func allocations(
        _ rig: DirectorRig, _ request: [UInt8], _ reply: [UInt8]
    ) -> UInt64 {
        let frames = UnsafeMutableRawPointer.allocate(byteCount: 64 * 256, alignment: 64)
        defer { unsafe frames.deallocate() }
        let worker = rig.director.workers[0]
        let now = rig.clock.now
        var burst = Burst()
        worker.wake()
        func turn() -> UInt64 {
            burst.removeAll()
            for index in 0..<64 {
                let bytes = unsafe frames + index * 256 + 64
                let source = index & 1 == 0 ? request : reply
                for offset in 0..<source.count {
                    unsafe bytes.storeBytes(
                        of: source[offset], toByteOffset: offset, as: UInt8.self)
                }
                burst.append(
                    unsafe Frame(
                        bytes: bytes, length: source.count, capacity: 192, headroom: 64,
                        ingress: PortIndex(index & 1)))
            }
            let before = allocation_counter_read()
            worker.process(&burst, now: now)
            return allocation_counter_read() - before
        }
        _ = turn()
        var allocations: UInt64 = 0
        for _ in 0..<100 { allocations += turn() }
        #expect((0..<64).allSatisfy { burst[$0].verdict.kind == .send })
        worker.rest()
        return allocations
    }

    @Test(.enabled(if: allocation_counter_works() != 0))
    func `The counter counts`() {
        let before = allocation_counter_read()
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 100_000, alignment: 16)
        unsafe memory.deallocate()
        #expect(allocation_counter_read() > before)
    }
}

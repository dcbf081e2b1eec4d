import LVS
import TestKit
import Testing

/// A table as large as big sites have it.
@Suite struct ManyServersTests {
    private static func key(_ number: Int) -> ServiceKey {
        .address(.tcp, IPAddress(v4: 0x0a01_0064), port: UInt16(1000 + number))
    }

    @Test func hundredsOfServicesWithFourServersEachAreStoredAndFound() throws {
        let rig = DirectorRig.twoLegged()
        for number in 0..<200 {
            let key = ManyServersTests.key(number)
            try rig.director.add(VirtualService(key: key, scheduler: "wlc"))
            for server in UInt32(11)...14 {
                try rig.director.add(
                    RealServer(
                        address: IPAddress(v4: 0x0a02_0000 + server),
                        port: UInt16(2000 + number), method: .masquerading), to: key)
            }
        }
        rig.advance(milliseconds: 250)
        #expect(rig.director.services().count == 200)
        #expect(rig.director.served.servers.count == 800)
        let builder = DirectorRig.client(IPAddress(v4: 0xc633_6401))
        for number in [0, 99, 199] {
            let frame = builder.tcp(from: 4000, to: UInt16(1000 + number), flags: 2)
            #expect(rig.send(frame, on: 0).verdict == .send(1))
        }
        // A stray reply of a server is the host's, and the ingress block has kept it.
        let reply = DirectorRig.server(
            IPAddress(v4: 0x0a02_000b), to: IPAddress(v4: 0xc633_6409)
        ).tcp(from: 2199, to: 5000, flags: 0x10)
        #expect(rig.send(reply, on: 1).verdict == .passThroughDoor)
        rig.director.flush()
        #expect(rig.send(reply, on: 1).verdict == .pass)
        // The three servers with a connection stay the director's until those have ended.
        #expect(rig.director.served.servers.count == 3)
        rig.advance(milliseconds: 62_000)
        #expect(rig.director.served.servers.isEmpty)
    }
}

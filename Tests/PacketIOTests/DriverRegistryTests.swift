import PacketIO
import Testing

@Suite struct DriverRegistryTests {
    @Test(arguments: [
        ("eth0", "afpacket", "eth0"), ("afpacket:eth0", "afpacket", "eth0"),
        ("afpacket:eth0.100", "afpacket", "eth0.100"), ("xdp:eth0", "xdp", "eth0"),
    ])
    func anInterfaceMayNameItsDriver(text: String, scheme: String, interface: String) throws {
        let (gotScheme, gotInterface) = try DriverRegistry.split(text)
        #expect(gotScheme == scheme)
        #expect(gotInterface == interface)
    }

    @Test func anUnknownDriverIsRefusedWithTheListOfThoseThatExist() {
        let error = #expect(throws: DriverError.self) { try DriverRegistry.split("dpdk:eth0") }
        #expect(error?.code == .unknownScheme)
        #expect(
            error?.description
                == "dpdk:eth0: no driver is called \"dpdk\"; there is afpacket, xdp, nfqueue")
    }

    @Test func aDriverWithoutAnInterfaceIsRefused() {
        let error = #expect(throws: DriverError.self) { try DriverRegistry.split("afpacket:") }
        #expect(error?.code == .badArgument)
    }

    @Test(.enabled(if: TestNetwork.isPossible))
    func anInterfaceThatDoesNotExistIsNamed() {
        let error = #expect(throws: DriverError.self) {
            try DriverRegistry.open("nosuch0", port: 0)
        }
        #expect(error?.code == .noSuchInterface)
        #expect(error?.description == "nosuch0: there is no such interface")
    }

    @Test(.enabled(if: TestNetwork.isPossible))
    func theLoopbackDeviceIsNoEthernet() {
        let error = #expect(throws: DriverError.self) { try DriverRegistry.open("lo", port: 0) }
        #expect(error?.code == .notEthernet)
    }
}

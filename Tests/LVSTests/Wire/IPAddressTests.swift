import LVS
import TestKit
import Testing

@Suite struct IPAddressTests {
    @Test(arguments: [
        (IPAddress(v4: 0x0a01_0064), [10, 1, 0, 100]),
        (.anyV4, [0, 0, 0, 0]),
        (IPAddress(v4: .max), [255, 255, 255, 255]),
        (
            IPAddress(high: 0x2001_0db8_0102_0304, low: 0x0506_0708_090a_0b0c),
            [0x20, 1, 0x0d, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
        ),
        // What is IPv4-mapped in an IPv6 header stays 16 bytes there.
        (
            IPAddress(wireHigh: 0, low: 0xffff_0a01_0064),
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 1, 0, 100]
        ),
    ])
    func `An address is on the wire as its header carries it`(
        address: IPAddress, expected: [UInt8]
    ) {
        #expect(address.wireBytes == expected)
    }
}

/// How the hashing schedulers turn an address into a number (ipvs-semantics 0 and 2.5).
enum AddressHash {
    /// The IPv4 address, or the four words of an IPv6 address joined by exclusive or.
    static func fold(_ address: IPAddress) -> UInt32 {
        guard !address.isV4 else { return address.v4 }
        let words = address.wireHigh ^ address.low
        return UInt32(truncatingIfNeeded: words >> 32 ^ words)
    }

    /// The upper bits of a multiplication by the golden ratio: 0 ..< 2^bits.
    static func bucket(_ value: UInt32, bits: UInt32) -> Int {
        Int((value &* 0x61c8_8647) >> (32 - bits))
    }

    /// The client's address as sh and mh hash it, with its port when the flag says so and the
    /// protocol has ports.
    static func client(of request: ScheduleRequest, withPort: Bool) -> (
        address: UInt32, port: UInt32
    ) {
        let transport = request.transport
        let hasPorts = transport == .tcp || transport == .udp || transport == .sctp
        return (fold(request.client), withPort && hasPorts ? UInt32(request.clientPort) : 0)
    }
}

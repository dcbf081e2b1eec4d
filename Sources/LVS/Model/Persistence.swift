/// How long, and how finely told apart, a client is kept on one real server (ipvs-semantics 5).
package struct Persistence: Hashable, Sendable {
    /// How long a template lives after the last new connection, seconds.
    package var timeoutSeconds: UInt32
    /// Clients are one when this much of their addresses is equal: the IPv4 mask in host order, or
    /// the IPv6 prefix length 1...128.
    package var netmask: UInt32

    package init(timeoutSeconds: UInt32, netmask: UInt32) {
        self.timeoutSeconds = timeoutSeconds
        self.netmask = netmask
    }

    /// What a client's template is known by instead of its address.
    package func network(of client: IPAddress) -> IPAddress {
        if client.isV4 { return IPAddress(v4: client.v4 & netmask) }
        return IPAddress(
            wireHigh: client.wireHigh & Persistence.ones(netmask),
            low: client.low & Persistence.ones(netmask - min(netmask, 64)))
    }

    /// A word with its `count` highest bits set, all of them from 64 on.
    private static func ones(_ count: UInt32) -> UInt64 {
        count == 0 ? 0 : UInt64.max << (64 - UInt64(min(count, 64)))
    }
}

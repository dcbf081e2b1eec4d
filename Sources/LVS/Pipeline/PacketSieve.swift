/// Says of most packets at little cost that nobody wants to hear of them.
///
/// What it lets through may still be unwanted, so that a filter behind it has the last word. Ports are
/// host order; nil is anything.
package struct PacketSieve: Sendable {
    /// Addresses that begin alike, ready to be compared.
    private struct Network {
        var high: UInt64
        var low: UInt64
        var highMask: UInt64
        var lowMask: UInt64

        init(_ prefix: AddressPrefix) {
            // An IPv4 address is the end of one of 16 bytes, and so is its prefix.
            let bits = UInt64(prefix.length) + (prefix.address.isV4 ? 96 : 0)
            highMask = ~(UInt64.max >> min(bits, 64))
            lowMask = bits <= 64 ? 0 : ~(UInt64.max >> (bits - 64))
            high = prefix.address.high & highMask
            low = prefix.address.low & lowMask
        }

        @inline(__always)
        func contains(_ address: IPAddress) -> Bool {
            (address.high & highMask ^ high) | (address.low & lowMask ^ low) == 0
        }
    }

    /// IP protocol number.
    package var transport: UInt8?
    /// Only ICMP and ICMPv6.
    package var isControl = false
    /// Flags of a TCP header that are all set.
    package var tcpFlags: UInt8 = 0
    package var sourcePort: UInt16?
    package var destinationPort: UInt16?
    /// Either of the two.
    package var port: UInt16?
    private var sourceNetwork: Network?
    private var destinationNetwork: Network?
    private var network: Network?

    /// Lets everything through.
    package init() {}

    package mutating func setSource(_ prefix: AddressPrefix) { sourceNetwork = Network(prefix) }

    package mutating func setDestination(_ prefix: AddressPrefix) {
        destinationNetwork = Network(prefix)
    }

    /// Source, destination or both.
    package mutating func setEither(_ prefix: AddressPrefix) { network = Network(prefix) }

    /// False for a packet that is certainly not wanted.
    package func passes(_ packet: Packet) -> Bool {
        if let transport, packet.protocolNumber != transport { return false }
        if isControl, packet.protocolNumber != 1, packet.protocolNumber != 58 { return false }
        if packet.tcpFlags & tcpFlags != tcpFlags { return false }
        if let sourcePort, packet.sourcePort != sourcePort { return false }
        if let destinationPort, packet.destinationPort != destinationPort { return false }
        if let port, packet.sourcePort != port, packet.destinationPort != port { return false }
        if let sourceNetwork, !sourceNetwork.contains(packet.source) { return false }
        if let destinationNetwork, !destinationNetwork.contains(packet.destination) {
            return false
        }
        guard let network else { return true }
        return network.contains(packet.source) || network.contains(packet.destination)
    }
}

// Fields of SCTP packets (RFC 9260 section 3), read where they are asked for: few packets are SCTP.

extension Packet {
    /// Bytes of the common header: ports, verification tag, checksum.
    static let sctpHeaderBytes = 12

    /// Bytes from the transport header to the end of the packet.
    var transportLength: Int { Int(networkOffset) + Int(ipLength) - Int(transportOffset) }

    /// Type and length of the chunk at an offset behind the common header; nil when its header is
    /// not whole.
    func sctpChunk(at offset: Int) -> (type: UInt8, length: UInt16)? {
        sctpChunk(at: offset, behind: Int(transportOffset))
    }

    /// As above, where the kernel's state machine looks for it: in IPv6 packets as if they had no
    /// extension headers (Linux 6.1; ipvs-semantics appendix B).
    func sctpChunkForStates(at offset: Int) -> (type: UInt8, length: UInt16)? {
        sctpChunk(at: offset, behind: isIPv6 ? Int(networkOffset) + 40 : Int(transportOffset))
    }

    private func sctpChunk(
        at offset: Int, behind header: Int
    ) -> (type: UInt8, length: UInt16)? {
        let position = header + Packet.sctpHeaderBytes + offset
        guard protocolNumber == 132, kind == .flow,
            position + 4 <= Int(networkOffset) + Int(ipLength)
        else { return nil }
        return unsafe (bytes.byte(position), bytes.be16(position + 2))
    }

    /// SCTP without a whole common header: nothing that could be translated.
    var hasPartialSCTPHeader: Bool {
        protocolNumber == 132 && kind == .flow && transportLength < Packet.sctpHeaderBytes
    }

    /// SCTP without a whole first chunk header: nothing to schedule by (ipvs-semantics 1.2).
    var lacksSCTPChunk: Bool {
        protocolNumber == 132 && kind == .flow && sctpChunk(at: 0) == nil
    }
}

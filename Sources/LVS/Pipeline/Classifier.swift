// Frames that are not whole TCP or UDP packets over IPv4.

extension Worker {
    /// The verdict of a frame by its kind (ipvs-semantics 0.2 steps 1 and 2, 6.5).
    func classify(
        _ packet: Packet, _ index: Int, _ burst: inout Burst, _ path: FastPath
    ) -> Verdict {
        let services = path.services
        switch packet.kind {
        case .arp, .other: return .pass
        case .malformed: return .drop(.malformedHeader)
        case .flow, .short: return admit(packet, index, &burst, path)
        case .icmpError: return lookUpError(packet, index, &burst, path)
        case .icmpOther:
            // The ingress block takes parameter problems for errors about connections; IPVS leaves
            // them alone, so the host gets them by the door.
            return packet.icmpType == 12 && services.isServiceAddress(nil, packet.destination)
                ? .passThroughDoor : .pass
        case .fragment: return reassemble(packet, index, &burst, path)
        }
    }
}

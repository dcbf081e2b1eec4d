// Packets that leave in pieces (ipvs-semantics 6.1 step 4, 6.2).

extension Worker {
    /// Sends a finished packet in fragments of at most `longest` bytes each, in frames of the burst.
    ///
    /// The checksums of the packet are complete; its network header is at `network` of the frame.
    func sendFragments(
        _ frame: Frame, at network: Int, longest: Int, to number: NextHopIndex, _ index: Int,
        _ burst: inout Burst, _ path: FastPath
    ) -> Verdict {
        guard let cut = unsafe Fragments.Cut(frame.bytes + network, longest: longest) else {
            return .drop(.tooLongForRoute)
        }
        var start = 0
        while start < cut.payload {
            let count = cut.size(from: start)
            let length = network + cut.headerLength + count
            guard var made = burst.make(length: length, ingress: frame.ingress, cause: index)
            else { return .drop(.madeFramesUsedUp) }
            unsafe made.bytes.copyMemory(from: frame.bytes, byteCount: network)
            unsafe cut.write(from: start, count: count, to: made.bytes + network)
            made.vlan = frame.vlan
            made.verdict = send(&made, number, path)
            if made.verdict.kind == .send { tally.countMade() }
            if made.verdict.kind == .drop { tally.count(made.verdict) }
            burst.setMadeFrame(burst.madeCount - 1, made)
            start += count
        }
        return .consumed
    }

    /// Sends a super-frame without DF whose segments are too long for the way: each segment becomes
    /// a packet of its own, and that goes in fragments.
    func sendSegments(
        _ errand: Errand, _ packet: Packet, _ index: Int, _ burst: inout Burst, _ path: FastPath
    ) -> Verdict {
        let frame = burst[index]
        guard let cut = Offload.cut(frame, packet) else { return .drop(.malformedHeader) }
        let link = Int(packet.networkOffset)
        for number in 0..<cut.count {
            let length = link + cut.length(number)
            guard var segment = burst.make(length: length, ingress: frame.ingress, cause: index)
            else { return .drop(.madeFramesUsedUp) }
            unsafe segment.bytes.copyMemory(from: frame.bytes, byteCount: link)
            unsafe Offload.writeSegment(
                number, of: cut, packet, from: frame.bytes + link, to: segment.bytes + link)
            segment.vlan = frame.vlan
            segment.verdict = .consumed
            let position = burst.madeCount - 1
            let verdict = dispatch(&segment, Packet(parsing: segment), errand, index, &burst, path)
            segment.verdict = verdict
            burst.setMadeFrame(position, segment)
            if verdict.kind == .send { tally.countMade() }
            if verdict.kind == .drop { tally.count(verdict) }
        }
        return .consumed
    }
}

// Datagrams that have all their fragments.

extension FragmentStore {
    /// Where the first fragment's headers are kept.
    func header(
        _ number: Int32, _ memory: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer {
        unsafe memory + FragmentStore.blocks * FragmentStore.blockBytes
            + Int(number) * FragmentStore.headerBytes
    }

    func headers(of datagram: FragmentedDatagram) -> Int {
        datagram.link + datagram.headerLength
    }

    /// Copies the headers of the first fragment to where the whole is put together.
    func writeHeader(
        _ number: Int32, _ memory: UnsafeMutableRawPointer, into reassembly: inout Reassembly
    ) -> UnsafeMutableRawPointer {
        let start = unsafe reassembly.start()
        unsafe start.copyMemory(
            from: header(number, memory), byteCount: headers(of: datagrams[Int(number)]))
        return unsafe start
    }

    /// Copies the payload of one fragment; returns how long it is.
    func copy(
        _ first: Int32, to target: UnsafeMutableRawPointer, _ memory: UnsafeMutableRawPointer
    ) -> Int {
        let count = pieces[Int(first)].count
        var piece = first
        var done = 0
        while done < count {
            let part = min(FragmentStore.blockBytes, count - done)
            unsafe (target + done).copyMemory(
                from: memory + Int(piece) * FragmentStore.blockBytes, byteCount: part)
            done += part
            piece = pieces[Int(piece)].rest
        }
        return count
    }

    /// Puts a datagram together; false when it is longer than any packet, or when its fragments do not
    /// agree about congestion marks.
    func assemble(
        _ number: Int32, _ memory: UnsafeMutableRawPointer, into reassembly: inout Reassembly
    ) -> Bool {
        let datagram = datagrams[Int(number)]
        let headerLength = datagram.headerLength - datagram.fragmentHeaderLength
        let total = headerLength + datagram.length
        let most = datagram.isIPv6 ? 65_535 + 40 : 65_535
        guard total <= most, let congestion = datagram.congestionMark else { return false }
        let start = unsafe writeHeader(number, memory, into: &reassembly)
        let network = unsafe start + datagram.link
        if datagram.isIPv6 {
            // The fragment header, the last one, goes; what it names takes its name.
            unsafe network.set(datagram.numberOffset, byte: network.byte(headerLength))
        }
        var target = unsafe network + headerLength
        reassembly.sizes.removeAll(keepingCapacity: true)
        reassembly.longest = datagram.longest
        reassembly.unfragmentableLength = headerLength
        var piece = datagram.first
        while piece != FragmentStore.none {
            let size = unsafe copy(piece, to: target, memory)
            reassembly.sizes.append(UInt16(truncatingIfNeeded: size))
            unsafe target += size
            piece = pieces[Int(piece)].next
        }
        let header = unsafe IPHeader(network, isIPv6: datagram.isIPv6)
        header.addCongestion(congestion)
        header.totalLength = total
        if !datagram.isIPv6 {
            unsafe network.set(6, be16: datagram.hasDontFragment ? 0x4000 : 0)
        }
        header.seal(length: headerLength)
        reassembly.finish(datagram, count: datagram.length - datagram.fragmentHeaderLength)
        return true
    }
}

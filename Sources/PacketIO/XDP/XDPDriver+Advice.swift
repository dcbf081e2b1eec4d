internal import LVS

extension XDPDriver {
    /// What the operator was told already.
    struct Advice {
        var isBulkTold = false
        var isLengthTold = false
    }

    /// So many long frames with undone sums are bulk traffic of a virtual machine's or a name space's
    /// cable.
    private static let bulkFrames: UInt64 = 1000

    package func takeAdvice() -> String? {
        if !advice.isLengthTold, statistics.truncated > 0 {
            advice.isLengthTold = true
            return tooLong
        }
        if !advice.isBulkTold, undone.count >= Self.bulkFrames {
            advice.isBulkTold = true
            return
                "\(name): who sends here leaves checksums and segmentation to a virtual cable, where"
                + " AF_XDP carries bulk TCP several times slower than packet sockets; where that"
                + " matters use afpacket:\(name)"
        }
        return nil
    }

    private var tooLong: String {
        let most = area.frameBytes - 18
        if let found = try? InterfaceDescription(named: name), Int(found.mtu) > most {
            return
                "\(name): MTU \(found.mtu) is more than the frame memory was made for (\(most)), and"
                + " longer frames are lost; lower it (ip link set dev \(name) mtu \(most)) or start"
                + " the director again"
        }
        return
            "\(name): frames longer than \(area.frameBytes) bytes are lost; turn off the"
            + " segmentation offload of whoever sends here (ethtool -K ... tso off gso off) and"
            + " GRO here (ethtool -K \(name) gro off), or use afpacket:\(name)"
    }
}

// Which driver serves an interface, and what is in its way.

extension Survey {
    /// Longest MTU whose frames AF_XDP's memory takes here.
    static let mostXDP = 4096 - FrameArea.headroom - 18
    /// Longest MTU of a veth's peer with a program in native mode.
    private static let mostNativeVeth = 3498

    func choose(
        _ scheme: String, _ interface: InterfaceSurvey, _ plan: Plan, _ report: inout SurveyReport
    ) {
        if !interface.isUp {
            report.advice(
                interface.name, "it is down; bring it up (ip link set dev \(interface.name) up)")
        } else if !interface.hasCarrier {
            report.advice(interface.name, "it has no carrier; look at the cable or the other end")
        }
        switch scheme {
        case "xdp": chooseXDP(interface, plan, &report)
        case "afpacket": choosePackets(interface, plan, &report)
        default: report.plan(interface.name, "served by \(scheme)")
        }
    }

    private func choosePackets(
        _ interface: InterfaceSurvey, _ plan: Plan, _ report: inout SurveyReport
    ) {
        let why = plan.isNamed ? "as asked for" : "since it is an Ethernet interface that is up"
        report.plan(
            interface.name,
            "afpacket, \(why): a ring of \(AFPacketDriver.Options().slots) slots, checksums and "
                + "super-frames as they come")
        if kernel.packetSockets.isMissing {
            report.obstacle(
                interface.name,
                "the kernel has no packet sockets (CONFIG_PACKET, modprobe af_packet)")
        }
        if interface.features.largeReceive == true {
            report.advice(
                interface.name,
                "large receive offload joins frames in a way that cannot be undone; turn it off "
                    + "(ethtool -K \(interface.name) lro off)")
        }
        if let ring = interface.ring, ring.now < 1024, ring.now < ring.most {
            report.advice(
                interface.name,
                "its own ring is short and overflows in bursts; enlarge it (ethtool -G "
                    + "\(interface.name) rx \(min(4096, ring.most)))")
        }
    }

    private func chooseXDP(
        _ interface: InterfaceSurvey, _ plan: Plan, _ report: inout SurveyReport
    ) {
        let name = interface.name
        if kernel.xdpSockets.isMissing || kernel.bpf.isMissing {
            report.obstacle(
                name,
                "the kernel has no AF_XDP (CONFIG_XDP_SOCKETS, CONFIG_BPF_SYSCALL); use afpacket:\(name)"
            )
        }
        if plan.answersAddresses {
            report.obstacle(
                name, "xdp does not answer for addresses (--answer); use afpacket:\(name)")
        }
        if interface.xdpProgram != 0 {
            report.obstacle(
                name,
                "another XDP program is attached (\(interface.xdpProgram)); remove it (ip link set dev "
                    + "\(name) xdp off) or use afpacket:\(name)")
        }
        if interface.mtu > Survey.mostXDP {
            report.obstacle(
                name,
                "MTU \(interface.mtu) is more than AF_XDP takes here (\(Survey.mostXDP)); lower it or use "
                    + "afpacket:\(name)")
        }
        switch interface.xdp {
        case .native(let zeroCopy):
            let isTooLong = interface.driver == "veth" && interface.mtu > Survey.mostNativeVeth
            report.plan(
                name,
                isTooLong
                    ? "xdp in generic mode, since MTU \(interface.mtu) is too long for native"
                    : "xdp in native mode, which its driver has"
                        + (zeroCopy ? ", without a copy if it lets" : ", copied once by the kernel")
            )
        case .generic:
            report.plan(name, "xdp in generic mode, since its driver has no native one")
            report.advice(
                name,
                "in generic mode super-frames are lost: whoever sends here must not make them (ethtool -K "
                    + "... tso off gso off), or use afpacket:\(name)")
        case .untold: report.plan(name, "xdp, native if the driver takes it and generic if not")
        }
    }
}

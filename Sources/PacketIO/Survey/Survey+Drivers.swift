// Which driver serves an interface, and what is in its way.

extension Survey {
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
        case "nfqueue":
            report.plan(
                interface.name,
                "packets from netfilter's queue, and a packet socket for what it cannot take back")
            if kernel.queues.isMissing {
                report.obstacle(
                    interface.name,
                    "the kernel has no queue for packets (CONFIG_NETFILTER_NETLINK_QUEUE, "
                        + "CONFIG_NETFILTER_XT_TARGET_NFQUEUE); use afpacket:\(interface.name)")
            }
        default: report.plan(interface.name, "served by \(scheme)")
        }
    }

    func tellQueues(_ queues: QueueRange, _ plan: Plan, _ report: inout SurveyReport) {
        let last = Int(queues.first) + queues.count - 1
        let name = queues.count == 1 ? "queue \(last)" : "queues \(queues.first) to \(last)"
        report.plan("nfqueue", "\(name), led to by nft tables ip and ip6 \(QueueTable.name)")
        if kernel.queues.isMissing {
            report.obstacle(
                "nfqueue",
                "the kernel has no NFQUEUE (modprobe nfnetlink_queue xt_NFQUEUE); use afpacket")
        }
        if queues.count != plan.workers.count {
            report.obstacle(
                "nfqueue",
                "each worker has a queue of its own, and there are \(plan.workers.count) workers; name as"
                    + " many queues (nfqueue:0-\(max(0, plan.workers.count - 1))) or change --workers"
            )
        }
        if plan.answersAddresses {
            report.obstacle(
                "nfqueue", "netfilter sees no ARP, so --answer does not work; use afpacket")
        }
        if privileges?.has(.netAdmin) == false {
            report.obstacle("nfqueue", "CAP_NET_ADMIN is needed for queues; grant it")
        }
        report.plan(
            "host",
            isForwarding
                ? "forwards NAT packets that the director gives back with new addresses"
                : "does not forward (net.ipv4.ip_forward is 0), so NAT packets leave by packet sockets"
        )
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
        if interface.mtu > FrameArea.longestMTU {
            report.obstacle(
                name,
                "MTU \(interface.mtu) is more than AF_XDP takes here (\(FrameArea.longestMTU)); lower it or use "
                    + "afpacket:\(name)")
        }
        switch interface.xdp {
        case .native(let zeroCopy):
            let isTooLong = interface.driver == "veth" && interface.mtu > FrameArea.longestNativeMTU
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

package import Posix

/// All that `director --check` looks at, gathered without touching any of it, and what follows from it.
package struct Survey: Sendable {
    /// What the director was asked to do.
    package struct Plan: Sendable {
        /// Drivers and interfaces in order: `("afpacket", "eth0")`.
        package var interfaces: [(scheme: String, name: String)]
        /// Whether the interfaces were named, and not chosen because they are up.
        package var isNamed: Bool
        package var connections: Int
        /// Bytes that the table of so many connections needs.
        package var tableBytes: Int
        package var answersAddresses = false
        /// The queues of netfilter that all interfaces are served by; nil for other drivers.
        package var queues: QueueRange?
        /// The CPU of each worker, nil where the kernel chooses.
        package var workers: [Int?] = [nil]

        package init(
            interfaces: [(scheme: String, name: String)], isNamed: Bool, connections: Int,
            tableBytes: Int
        ) {
            self.interfaces = interfaces
            self.isNamed = isNamed
            self.connections = connections
            self.tableBytes = tableBytes
        }
    }

    /// What the machine must keep for itself beside the table, bytes.
    package static let spareBytes = 64 << 20

    package var kernel: KernelOffers
    package var processors: ProcessorLayout
    package var memory: MemoryState?
    /// `always`, `madvise` or `never`; nil where the kernel has no transparent large pages.
    package var transparentPages: String?
    /// Nil when the kernel does not say.
    package var privileges: Privileges?
    package var interfaces: [InterfaceSurvey]
    /// Whether the host forwards packets (`net.ipv4.ip_forward`).
    package var isForwarding = false

    package init(
        kernel: KernelOffers, processors: ProcessorLayout, memory: MemoryState?,
        transparentPages: String?, privileges: Privileges?, interfaces: [InterfaceSurvey]
    ) {
        self.kernel = kernel
        self.processors = processors
        self.memory = memory
        self.transparentPages = transparentPages
        self.privileges = privileges
        self.interfaces = interfaces
    }

    /// Looks at this host; `links` are the interfaces in question.
    package static func take(of links: [Link]) -> Survey {
        var survey = Survey(
            kernel: .running, processors: .current, memory: .now,
            transparentPages: MemoryState.transparentPages, privileges: .current,
            interfaces: links.map { InterfaceSurvey($0) })
        survey.isForwarding =
            (try? Files.read("/proc/sys/net/ipv4/ip_forward"))?.hasPrefix("1") == true
        return survey
    }

    /// What was found, what will be used and why, and what is in the way.
    package func report(on plan: Plan) -> SurveyReport {
        var report = SurveyReport()
        tellKernel(&report)
        for interface in interfaces { report.found(interface.name, interface.text) }
        tellProcessors(&report)
        tellMemory(plan, &report)
        tellPrivileges(plan, &report)
        for (scheme, name) in plan.interfaces {
            guard let interface = interfaces.first(where: { $0.name == name }) else { continue }
            choose(scheme, interface, plan, &report)
        }
        if let queues = plan.queues {
            tellQueues(queues, plan, &report)
        } else {
            tellHost(plan, &report)
        }
        tellNeighbours(plan, &report)
        return report
    }

    private func tellKernel(_ report: inout SurveyReport) {
        report.found("kernel", "Linux \(kernel.release)")
        report.found(
            "packets",
            "AF_PACKET \(kernel.packetSockets.text), AF_XDP \(kernel.xdpSockets.text) (BPF "
                + "\(kernel.bpf.text)), NFQUEUE \(kernel.queues.text), TUN \(kernel.tun.text)")
        report.found(
            "ingress",
            "nft netdev family \(kernel.nftIngress.text), tc with BPF \(kernel.tcIngress.text)")
    }

    private func tellProcessors(_ report: inout SurveyReport) {
        let allowed = processors.allowed
        var text =
            "\(processors.online) CPUs, \(allowed.count) for the director "
            + "(\(ProcessorLayout.text(allowed)))"
        if !processors.siblings.isEmpty {
            let groups = processors.siblings.map { ProcessorLayout.text($0) }
            text += ", threads of one core: \(groups.joined(separator: " and "))"
        }
        report.found("cpu", text)
        if let quota = processors.quota, quota < Double(allowed.count) {
            let shown = (quota * 100).rounded() / 100
            report.advice(
                "cpu",
                "the control group allows \(shown) CPUs' worth of time, and packets wait when it is "
                    + "used up; raise CPUQuota (cpu.max)")
        }
        let own = Set(allowed)
        let interrupted = interfaces.flatMap { $0.interruptProcessors + $0.steeredProcessors }
        if allowed.count > 1, !interrupted.isEmpty, own.isSubset(of: interrupted) {
            report.advice(
                "cpu",
                "receive work of the interfaces falls on every CPU that the director may use; under "
                    + "overload it starves the worker: keep one CPU free of it (smp_affinity, rps_cpus)"
            )
        }
    }

    private func tellMemory(_ plan: Plan, _ report: inout SurveyReport) {
        let needed = plan.tableBytes
        let size = "\(plan.connections) connections in \(needed >> 20) MiB"
        guard let memory else {
            report.found("memory", "the kernel does not say (/proc/meminfo)")
            report.plan("table", size)
            return
        }
        var text = "\(memory.available >> 20) of \(memory.total >> 20) MiB available"
        text += memory.swap > 0 ? ", \(memory.swap >> 20) MiB of swap" : ", no swap"
        text += ", \(memory.freeLargePages) of \(memory.largePages) reserved large pages free"
        text += ", transparent large pages: \(transparentPages ?? "none")"
        report.found("memory", text)
        let pages = (needed + MappedMemory.largePage - 1) / MappedMemory.largePage
        if memory.largePageBytes == MappedMemory.largePage, memory.freeLargePages >= pages {
            report.plan("table", "\(size) of reserved large pages, since enough are free")
        } else if needed + Self.spareBytes > memory.available {
            report.obstacle(
                "table",
                "\(size), and \(max(0, memory.available - Self.spareBytes) >> 20) MiB are to spare; "
                    + "ask for fewer (--connections)")
        } else if transparentPages == "always" || transparentPages == "madvise" {
            report.plan("table", "\(size) of transparent large pages, as far as there are some")
        } else {
            report.plan("table", "\(size) of small pages: the kernel has no large ones to give")
            report.advice(
                "table",
                "large pages make look-ups cheaper: sysctl -w vm.nr_hugepages=\(pages), or echo "
                    + "madvise > /sys/kernel/mm/transparent_hugepage/enabled")
        }
        if memory.swap > 0, privileges?.has(.ipcLock) == false {
            report.advice(
                "table",
                "the machine has swap, and without CAP_IPC_LOCK (or ulimit -l, LimitMEMLOCK=) the table "
                    + "may be written to it")
        }
    }

    private func tellPrivileges(_ plan: Plan, _ report: inout SurveyReport) {
        guard let privileges else {
            report.found("privileges", "the kernel does not say (/proc/self/status)")
            return
        }
        let names = Privileges.Capability.allCases.filter(privileges.has).map(\.name)
        report.found("privileges", names.isEmpty ? "none" : names.joined(separator: ", "))
        if !privileges.has(.netRaw) {
            report.obstacle("privileges", "CAP_NET_RAW is needed; run as root or grant it")
        }
        if !privileges.has(.netAdmin) {
            report.advice(
                "privileges",
                "without CAP_NET_ADMIN the host's own stack sees served packets too and answers them, "
                    + "and neighbours and iptables' marks are not followed; grant it")
        }
        if plan.interfaces.contains(where: { $0.scheme == "xdp" }), !privileges.mayLoadPrograms {
            report.obstacle(
                "privileges", "xdp needs CAP_BPF (or CAP_SYS_ADMIN) too; grant it or use afpacket")
        }
    }

    private func tellHost(_ plan: Plan, _ report: inout SurveyReport) {
        if !kernel.nftIngress.isMissing {
            report.plan("host", "kept from served packets by nft, table netdev director")
        } else if !kernel.tcIngress.isMissing {
            report.plan(
                "host", "kept from served packets by a filter of tc, since nft has no netdev family"
            )
        } else {
            report.advice(
                "host",
                "the kernel can block served packets neither by nft (CONFIG_NF_TABLES_NETDEV) nor by tc "
                    + "(CONFIG_NET_CLS_BPF): the host's own stack sees them too"
                    + (isForwarding
                        ? ", and forwards them a second time (sysctl net.ipv4.ip_forward=0)" : ""))
        }
        if kernel.tun.isMissing {
            report.advice(
                "host",
                "there is no TUN (/dev/net/tun): what IPVS would leave to the host is lost to it on served "
                    + "addresses (modprobe tun)")
        } else {
            report.plan("host", "gets what is its own by a TUN device, \(HostDoor.name)")
        }
    }

    private func tellNeighbours(_ plan: Plan, _ report: inout SurveyReport) {
        report.plan(
            "neighbours",
            kernel.isAtLeast(5, 16)
                ? "kept fresh by the kernel"
                : "asked for every 20 s, since Linux 5.16 keeps them itself")
        tellWorkers(plan, &report)
    }

    private func tellWorkers(_ plan: Plan, _ report: inout SurveyReport) {
        let bound = plan.workers.compactMap { $0 }
        let count = plan.workers.count
        let place =
            bound.isEmpty
            ? "on whichever CPU the kernel chooses" : "bound to CPU \(ProcessorLayout.text(bound))"
        let waits =
            processors.allowed.count > 1
            ? "spinning at most 50 us for a frame while a CPU is to spare"
            : "sleeping at once, since others use its only CPU as well"
        report.plan("workers", "\(count) \(place), \(waits)")
        for group in processors.siblings where Set(group).intersection(bound).count > 1 {
            report.advice(
                "workers",
                "CPUs \(ProcessorLayout.text(group)) are threads of one core and do the work of little "
                    + "more than one; bind workers to different cores (--cpus)")
        }
        let slots = processors.quota.map { Int($0.rounded(.up)) } ?? Int.max
        if count > slots {
            report.advice(
                "workers",
                "\(count) workers share \(slots) CPUs' worth of time; take fewer (--workers)")
        }
    }
}

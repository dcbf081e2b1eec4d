import PacketIO
import Posix
import Testing

@Suite struct KernelOffersTests {
    private static let configuration = """
        # CONFIG_NF_TABLES_NETDEV is not set
        CONFIG_PACKET=y
        CONFIG_XDP_SOCKETS=y
        CONFIG_BPF_SYSCALL=y
        CONFIG_NF_TABLES=m
        CONFIG_NETFILTER_NETLINK_QUEUE=m
        CONFIG_NETFILTER_XT_TARGET_NFQUEUE=y
        CONFIG_NET_SCH_INGRESS=y
        CONFIG_NET_CLS_BPF=m
        CONFIG_TUN=m
        CONFIG_LOCALVERSION="-y"
        """

    @Test func offersAreReadFromTheConfigurationAndNeedAllTheirParts() {
        let offers = KernelOffers(release: "6.1.0-18-amd64", configuration: Self.configuration)
        #expect(offers.packetSockets == .yes)
        #expect(offers.xdpSockets == .yes)
        #expect(offers.bpf == .yes)
        #expect(offers.queues == .module)
        #expect(offers.nftIngress == .no)
        #expect(offers.tcIngress == .module)
        #expect(offers.tun == .module)
    }

    @Test func withoutAConfigurationNothingIsClaimed() {
        let offers = KernelOffers(release: "6.1.0", configuration: nil)
        #expect(offers.tun == .unknown)
        #expect(offers.nftIngress == .unknown)
    }

    @Test(arguments: [
        ("6.1.0-18-amd64", true, false), ("5.16", true, false), ("5.15.9", false, false),
        ("6.17-rc3", true, true), ("10.0.1", true, true), ("strange", true, true), ("", true, true),
    ])
    func versionsAreComparedByTheirNumbers(release: String, is516: Bool, is617: Bool) {
        let offers = KernelOffers(release: release, configuration: nil)
        #expect(offers.isAtLeast(5, 16) == is516)
        #expect(offers.isAtLeast(6, 17) == is617)
    }
}

@Suite struct ProcessorLayoutTests {
    @Test(arguments: [
        ("0-3,8\n", [0, 1, 2, 3, 8]), ("5", [5]), ("0", [0]), ("", nil), ("3-1", nil), ("a", nil),
        ("0-", nil), ("1-2-3", nil), ("-1", nil), ("0-99999999", nil), (",", nil),
    ])
    func listsOfProcessorsAreRead(text: String, numbers: [Int]?) {
        #expect(ProcessorLayout.list(text) == numbers)
    }

    @Test(arguments: [
        ("3\n", [0, 1]), ("00000001,00000004", [2, 32]), ("0", []), ("", nil), ("xyz", nil),
        ("1,,1", nil), ("ffffffffff", nil),
    ])
    func masksOfProcessorsAreRead(text: String, numbers: [Int]?) {
        #expect(ProcessorLayout.mask(text) == numbers)
    }

    @Test(arguments: [
        ("50000 100000\n", 0.5), ("max 100000", nil), ("400000 100000", 4), ("", nil), ("0 1", nil),
        ("1 0", nil), ("-1 5", nil),
    ])
    func quotasAreRead(text: String, quota: Double?) {
        #expect(ProcessorLayout.quota(text) == quota)
    }

    @Test(arguments: [([0, 1, 2, 3, 8], "0-3,8"), ([], ""), ([7], "7"), ([1, 0], "0-1")])
    func numbersAreToldAsAList(numbers: [Int], text: String) {
        #expect(ProcessorLayout.text(numbers) == text)
    }
}

@Suite struct PrivilegesTests {
    @Test func capabilitiesAreReadFromTheProcesssStatus() throws {
        let some = try #require(Privileges(status: "Name:\tx\nCapEff:\t0000000000003000\n"))
        #expect(some.has(.netAdmin) && some.has(.netRaw) && !some.has(.bpf))
        #expect(!some.mayLoadPrograms)
        let all = try #require(Privileges(status: "CapEff:\t000001ffffffffff"))
        #expect(all.mayLoadPrograms && all.has(.ipcLock))
    }

    @Test(arguments: ["", "CapEff:\t", "CapEff: none", "CapPrm:\t00"])
    func aStatusWithoutThemIsNothing(text: String) {
        #expect(Privileges(status: text) == nil)
    }
}

@Suite struct SurveyReportTests {
    /// A machine on which nothing is in the way.
    private static func survey(_ change: (inout Survey) -> Void = { _ in }) -> Survey {
        var kernel = KernelOffers(release: "6.1.0", configuration: nil)
        for part in [
            \KernelOffers.packetSockets, \.xdpSockets, \.bpf, \.queues, \.nftIngress, \.tcIngress,
            \.tun,
        ] { kernel[keyPath: part] = .yes }
        var survey = Survey(
            kernel: kernel, processors: ProcessorLayout(online: 2, allowed: [0, 1]),
            memory: MemoryState(meminfo: "MemAvailable: 1000000 kB\nHugepagesize: 2048 kB\n"),
            transparentPages: "madvise",
            privileges: Privileges(status: "CapEff: 1ffffffffff"),
            interfaces: [InterfaceSurvey(name: "eth0", driver: "veth", mtu: 1500)])
        survey.interfaces[0].xdp = .native(zeroCopy: false)
        change(&survey)
        return survey
    }

    private static func plan(_ scheme: String = "afpacket") -> Survey.Plan {
        Survey.Plan(
            interfaces: [(scheme, "eth0")], isNamed: true, connections: 1_000_000,
            tableBytes: 84 << 20)
    }

    @Test(arguments: ["afpacket", "xdp"])
    func aMachineThatHasEverythingIsReadyAndNamesDriverAndTable(scheme: String) {
        let report = Self.survey().report(on: Self.plan(scheme))
        #expect(report.isReady)
        let plans = report.lines.filter { $0.kind == .plan }
        #expect(plans.contains { $0.subject == "eth0" && $0.text.hasPrefix(scheme) })
        #expect(plans.contains { $0.subject == "table" && $0.text.contains("84 MiB") })
        #expect(report.rendered.hasSuffix("\nthe director can start\n"))
    }

    /// One trouble, the driver asked for, and what the line in the way names.
    private static let obstacles: [(String, @Sendable (inout Survey) -> Void, String)] = [
        ("afpacket", { $0.privileges = Privileges(status: "CapEff: 5000") }, "CAP_NET_RAW"),
        ("afpacket", { $0.kernel.packetSockets = .no }, "CONFIG_PACKET"),
        (
            "afpacket", { $0.memory = MemoryState(meminfo: "MemAvailable: 90000 kB\n") },
            "--connections"
        ),
        ("xdp", { $0.privileges = Privileges(status: "CapEff: 3000") }, "CAP_BPF"),
        ("xdp", { $0.kernel.xdpSockets = .no }, "CONFIG_XDP_SOCKETS"),
        ("xdp", { $0.interfaces[0].mtu = 9000 }, "MTU 9000"),
        ("xdp", { $0.interfaces[0].xdpProgram = 17 }, "xdp off"),
    ]

    @Test(arguments: obstacles.indices)
    func whatIsInTheWayIsToldWithItsCure(number: Int) {
        let (scheme, change, word) = Self.obstacles[number]
        let report = Self.survey(change).report(on: Self.plan(scheme))
        #expect(!report.isReady)
        let texts = report.lines.filter { $0.kind == .obstacle }.map(\.text)
        #expect(texts.count == 1 && texts.allSatisfy { $0.contains(word) }, "\(texts)")
        #expect(report.rendered.hasSuffix("\nthe director cannot start like this\n"))
    }

    /// What could be better does not keep the director from starting.
    private static let advice: [(String, @Sendable (inout Survey) -> Void, String)] = [
        ("afpacket", { $0.interfaces[0].isUp = false }, "ip link set dev eth0 up"),
        ("afpacket", { $0.interfaces[0].features.largeReceive = true }, "lro off"),
        ("afpacket", { $0.transparentPages = nil }, "vm.nr_hugepages=42"),
        ("afpacket", { $0.processors.quota = 0.5 }, "0.5 CPUs"),
        ("afpacket", { $0.kernel.tun = .no }, "/dev/net/tun"),
        ("afpacket", { $0.privileges = Privileges(status: "CapEff: 6000") }, "CAP_NET_ADMIN"),
        (
            "afpacket",
            {
                $0.kernel.nftIngress = .no
                $0.kernel.tcIngress = .no
                $0.isForwarding = true
            }, "ip_forward=0"
        ),
        ("afpacket", { $0.interfaces[0].interruptProcessors = [0, 1] }, "smp_affinity"),
        ("xdp", { $0.interfaces[0].xdp = .generic }, "tso off"),
    ]

    @Test(arguments: advice.indices)
    func whatCouldBeBetterIsToldAndDoesNotStopTheDirector(number: Int) {
        let (scheme, change, word) = Self.advice[number]
        let report = Self.survey(change).report(on: Self.plan(scheme))
        #expect(report.isReady)
        let texts = report.lines.filter { $0.kind == .advice }.map(\.text)
        #expect(texts.count == 1 && texts.allSatisfy { $0.contains(word) }, "\(texts)")
    }

    @Test func reservedLargePagesAreUsedWhenEnoughOfThemAreFree() {
        let text = "MemAvailable: 1000 kB\nHugePages_Free: 42\nHugepagesize: 2048 kB\n"
        let report = Self.survey { $0.memory = MemoryState(meminfo: text) }.report(on: Self.plan())
        #expect(report.isReady)
        #expect(report.lines.contains { $0.subject == "table" && $0.text.contains("reserved") })
    }

    @Test func workersOnThreadsOfOneCoreAreToldToMove() {
        let survey = Self.survey { $0.processors.siblings = [[0, 1]] }
        var plan = Self.plan()
        plan.workers = [0, 1]
        let report = survey.report(on: plan)
        #expect(report.isReady)
        #expect(report.lines.contains { $0.kind == .plan && $0.text.contains("bound to CPU 0-1") })
        #expect(report.lines.contains { $0.kind == .advice && $0.text.contains("--cpus") })
    }

    @Test func everyLineIsOneLine() {
        var report = SurveyReport()
        report.obstacle("rules", "first\nsecond\r\nthird")
        #expect(report.lines.map(\.text) == ["first second third"])
    }

    @Test func theHostThatRunsThisIsSurveyedWithoutPrivilege() {
        let survey = Survey.take(of: [])
        #expect(survey.kernel.release != "unknown")
        #expect(survey.memory != nil)
        #expect(survey.privileges != nil)
        #expect(!survey.processors.allowed.isEmpty)
    }
}

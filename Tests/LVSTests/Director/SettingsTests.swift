import LVS
import TestKit
import Testing

@Suite struct SettingsTests {
    @Test(arguments: Settings.all)
    func settingAcceptsItsDefault(_ setting: Settings.Setting) throws {
        let rig = DirectorRig.twoLegged()
        #expect(rig.director.settings[setting.name] == setting.standard)
        try rig.director.set(name: setting.name, value: setting.standard)
    }

    @Test(arguments: Settings.all)
    func valueWithoutEffectIsRefusedWithASentence(_ setting: Settings.Setting) throws {
        let rig = DirectorRig.twoLegged()
        for value in 0...3 where setting.range.contains(value) {
            do throws(CommandRefusal) {
                try rig.director.set(name: setting.name, value: value)
                #expect(setting.supported?.contains(value) ?? true)
                // With memory enough an automatic defence is off at once.
                let isDefence = ["drop_entry", "drop_packet", "secure_tcp"].contains(setting.name)
                let isAutomatic = isDefence && value == 2
                #expect(rig.director.settings[setting.name] == (isAutomatic ? 1 : value))
            } catch {
                #expect(setting.supported?.contains(value) == false)
                guard case .notSupported(let text) = error else {
                    Issue.record("\(error)")
                    continue
                }
                #expect(text.hasPrefix(setting.name))
            }
        }
    }

    @Test(arguments: [("drop_packet", 4), ("drop_entry", -1), ("secure_tcp", 4), ("nosuch", 1)])
    func valueOutOfRangeIsRefused(_ name: String, _ value: Int) {
        let rig = DirectorRig.twoLegged()
        #expect(throws: CommandRefusal.self) { try rig.director.set(name: name, value: value) }
    }

    @Test func nameMayCarryItsPrefix() throws {
        let rig = DirectorRig.twoLegged()
        try rig.director.set(name: "net.ipv4.vs.sloppy_tcp", value: 1)
        #expect(rig.director.settings["sloppy_tcp"] == 1)
    }

    @Test func dropPacketTakesEveryNthNewConnection() throws {
        let rig = DirectorRig.twoLegged()
        let key = ServiceKey.address(.tcp, IPAddress(v4: 0x0a01_0064), port: 80)
        try rig.director.add(VirtualService(key: key, scheduler: "rr"))
        try rig.director.add(
            RealServer(address: IPAddress(v4: 0x0a02_000b), port: 80, method: .masquerading),
            to: key)
        try rig.director.set(name: "am_droprate", value: 3)
        try rig.director.set(name: "drop_packet", value: 3)
        let builder = DirectorRig.client(IPAddress(v4: 0xc633_6401))
        let drops = (0..<6).map { number in
            rig.send(builder.tcp(from: UInt16(3000 + number), to: 80, flags: 2), on: 0).verdict
                == .drop(.defence)
        }
        #expect(drops == [true, false, false, true, false, false])
    }

    private static func text(_ rig: DirectorRig, _ name: String) -> String? {
        rig.director.settings.values.first { $0.name == name }?.value
    }

    @Test(arguments: [
        ("5 60", "5 60"), ("4", "4 50"), ("0 1", "0 1"), ("2 0", "2 0"), (" 7\t90 ", "7 90"),
        ("49", "49 50"), ("0", "0 50"), ("2147483646 2147483647", "2147483646 2147483647"),
    ])
    func `The threshold of synchronisation has two numbers, of which the first may be set alone`(
        text: String, value: String
    ) throws {
        let rig = DirectorRig.twoLegged()
        #expect(Self.text(rig, "sync_threshold") == "3 50")
        try rig.director.set(name: "net.ipv4.vs.sync_threshold", text: text)
        #expect(Self.text(rig, "sync_threshold") == value)
    }

    @Test(arguments: [
        ("sync_threshold", "50 50", "must be below"), ("sync_threshold", "50", "must be below"),
        ("sync_threshold", "60 50", "must be below"), ("sync_threshold", "3 -1", "negative"),
        ("sync_threshold", "-1 50", "-1"), ("sync_threshold", "3 50 7", "more than two numbers"),
        ("sync_threshold", "3 2147483648", "sync_threshold"),
        ("sync_threshold", "2147483648 0", "2147483648"), ("sync_threshold", "", "not a number"),
        ("sync_threshold", "3 x", "not a number"), ("sync_threshold", "3,50", "not a number"),
        ("sync_retries", "4", "0 to 3"), ("sync_retries", "1 2", "more than one number"),
        ("sync_ports", "3", "powers of two"), ("sync_ports", "128", "sync_ports"),
        ("sync_version", "2", "0 to 1"), ("sync_sock_size", "-1", "sync_sock_size"),
        ("sync_period", "50", "there is no setting sync_period"),
        ("sync_period", "x", "there is no setting sync_period"),
    ])
    func `What a setting of synchronisation cannot be is said in a sentence, and changes nothing`(
        name: String, text: String, part: String
    ) {
        let rig = DirectorRig.twoLegged()
        let before = rig.director.settings
        do throws(CommandRefusal) {
            try rig.director.set(name: name, text: text)
            Issue.record("\(name)=\(text) is taken")
        } catch {
            #expect("\(error)".contains(part), "\(error)")
            #expect("\(error)".contains(name))
        }
        #expect(rig.director.settings == before)
    }
}

//! The drafts as Rust items: generated, and nothing else.
//! INVARIANT: the packages are the vendored ones, in exactly the versions that the host serves.

wit_bindgen::generate!({
    path: [
        "../../../wit/deps/wasi-config@0.2.0-rc.1",
        "../../../wit/deps/wasi-keyvalue@0.2.0-draft",
    ],
    inline: "
        package guest:state;
        world calls {
            import wasi:config/store@0.2.0-rc.1;
            import wasi:keyvalue/store@0.2.0-draft;
            import wasi:keyvalue/atomics@0.2.0-draft;
            import wasi:keyvalue/batch@0.2.0-draft;
        }
    ",
    world: "guest:state/calls",
    generate_all,
});

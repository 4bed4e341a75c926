//! The interface as Rust items: generated, and nothing else.
//! INVARIANT: the packages are the project's own.

wit_bindgen::generate!({
    path: ["../../../wit/aim-types@0.1.0", "../../../wit/aim-model@0.1.0"],
    inline: "
        package guest:model;
        world calls {
            import aim:model/complete@0.1.0;
        }
    ",
    world: "guest:model/calls",
    generate_all,
});

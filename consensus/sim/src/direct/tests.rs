use consensus::registry::{EngineName, Visitor};

use super::*;

struct Orders(Carriage);

impl Visitor for Orders {
    type Output = ();

    fn visit<E: Engine>(self) {
        let setup = Setup { carriage: self.0, ..Setup::new(4, EngineOptions::default(), 10) };
        let mut direct = Direct::<E>::new(setup);
        let before = direct.costs();
        let transactions: Vec<_> = direct.transactions(0..95, 200).collect();
        assert!(transactions.iter().all(|transaction| transaction.encoded_len() == 200));
        direct.submit(transactions);
        direct.settle();
        let costs = direct.costs() - before;
        assert_eq!((costs.blocks, costs.transactions), (10, 95), "{}", E::NAME);
    }
}

#[test]
fn every_engine_orders_what_it_is_given() {
    for engine in EngineName::ALL {
        for carriage in [Carriage::Shared, Carriage::Encoded] {
            engine.visit(Orders(carriage));
        }
    }
}

//! The nouns of delivery: routes, stops, actions, predicted arrivals, events, and the view people see.
